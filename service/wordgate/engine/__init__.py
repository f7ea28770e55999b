"""Inference engine: onnxruntime model, state cache, scheduler and engine threads."""

import os

# Disable onnxruntime's telemetry, which also stores a device ID in the user's cache folder. The
# variable must be set before onnxruntime is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
