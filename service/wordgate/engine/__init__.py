"""Bundles, the onnxruntime model, the state cache and the scheduler."""
