"""Text, words, pieces and algorithms: no I/O, no onnxruntime, no asyncio."""
