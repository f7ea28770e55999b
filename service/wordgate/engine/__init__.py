"""The onnxruntime model, the state cache, the scheduler and its threads."""

import os

# onnxruntime reports its use to its makers, and keeps a number for the device in the user's cache,
# unless it is told not to before it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
