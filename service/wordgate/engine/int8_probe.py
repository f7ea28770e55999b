"""Check whether int8 matrix products are exact on this CPU (no 16-bit saturation).

Without VNNI, onnxruntime adds pairs of uint8 x int8 products in 16 bits, which saturate, unless the
session option `session.x64quantprecision` is set. CPUs with VNNI are exact without the option, and
would be 2.5 times slower with it, so it is set only where needed.
"""

import base64
from functools import cache

import numpy as np
import onnxruntime

EXACT_SUMS_OPTION = "session.x64quantprecision"

PROBE = base64.b64decode(
    "CAo6oQEKMwoFc2hhcGUSAWIiD0NvbnN0YW50T2ZTaGFwZSoWCgV2YWx1ZSoKCAEQAyoBf0IBdqABBAobCgFhCgFi"
    "EgRzdW1zIg1NYXRNdWxJbnRlZ2VyEgVwcm9iZSoQCAIQBzoDgAJAQgVzaGFwZVoYCgFhEhMKEQgCEg0KBhIEcm93"
    "cwoDCIACYhoKBHN1bXMSEgoQCAYSDAoGEgRyb3dzCgIIQEIECgAQFQ=="
)
"""ONNX model: `a` uint8 [rows, 256] times int8 [256, 64] of 127; `sums` int32 [rows, 64]."""

_INNER, _LARGEST, _WEIGHT = 256, 255, 127
_ROWS = (1, 2, 3, 4, 6, 12, 32, 64)


@cache
def int8_products_are_exact(with_option: bool = False) -> bool:
    """Return whether the largest possible sums are exact, for small and large batches."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry(EXACT_SUMS_OPTION, str(int(with_option)))
    session = onnxruntime.InferenceSession(PROBE, options, providers=["CPUExecutionProvider"])
    return all(_is_exact(session, rows) for rows in _ROWS)


def _is_exact(session: onnxruntime.InferenceSession, rows: int) -> bool:
    [sums] = session.run(None, {"a": np.full((rows, _INNER), _LARGEST, np.uint8)})
    return bool((sums == _INNER * _LARGEST * _WEIGHT).all())
