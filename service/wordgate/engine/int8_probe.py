"""Does onnxruntime add up products of 8-bit integers exactly on this processor, as it is?

Knows one tiny graph; does not know bundles. Processors without VNNI add pairs of uint8 x int8
products in 16 bits, where they saturate, unless the session option `session.x64quantprecision` is
set. It has to be asked for only there: processors with VNNI are exact without it, and it makes
their products two and a half times slower.
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
"""An ONNX model: a uint8 [rows, 256] times int8 [256, 64] of 127, as sums int32 [rows, 64]."""

_INNER, _LARGEST, _WEIGHT = 256, 255, 127
_ROWS = (1, 2, 3, 4, 6, 12, 32, 64)


@cache
def int8_products_are_exact(with_option: bool = False) -> bool:
    """Whether the largest sums come out right, for few rows and for many."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry(EXACT_SUMS_OPTION, str(int(with_option)))
    session = onnxruntime.InferenceSession(PROBE, options, providers=["CPUExecutionProvider"])
    return all(_is_exact(session, rows) for rows in _ROWS)


def _is_exact(session: onnxruntime.InferenceSession, rows: int) -> bool:
    [sums] = session.run(None, {"a": np.full((rows, _INNER), _LARGEST, np.uint8)})
    return bool((sums == _INNER * _LARGEST * _WEIGHT).all())
