"""Bound the depth and the number of values of JSON before it is parsed.

The parser recurses without a limit of its own, so deep nesting would exhaust the stack. Parsing
blocks the event loop in proportion to the number of values.
"""

import numpy as np

from wordgate.errors import InvalidInput

MAX_DEPTH = 32
"""Maximum nesting of objects and lists; requests need 8."""

MAX_VALUES = 32_768
"""Maximum number of values, which take about 20 ms to parse."""

_QUOTE = ord('"')
_OTHERS = bytes(set(range(256)) - set(b'"[]{},'))
_CHANGE = np.array([(byte in b"[{") - (byte in b"]}") for byte in range(256)], np.int8)
_BEGINS_VALUE = np.array([byte in b"[{," for byte in range(256)])


def check_json(data: bytes) -> None:
    """Raise `InvalidInput` for JSON that is too deep or has too many values."""
    structure = _structure(data)
    depth = np.cumsum(_CHANGE[structure], dtype=np.int32).max(initial=0)
    if depth > MAX_DEPTH:
        raise InvalidInput("message", f"is nested more than {MAX_DEPTH} levels deep")
    if np.count_nonzero(_BEGINS_VALUE[structure]) > MAX_VALUES:
        problem = f"has more than {MAX_VALUES} values; send less, or send application/proto"
        raise InvalidInput("message", problem)


def _structure(data: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Return brackets and commas outside of strings: uint8 [n]. An unfinished string has no end."""
    if b"\\" in data:
        data = data.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    given = np.frombuffer(data.translate(None, _OTHERS), np.uint8)
    is_outside = np.cumsum(given == _QUOTE, dtype=np.uint8) % 2 == 0
    outside: np.ndarray[tuple[int], np.dtype[np.uint8]] = given[is_outside]
    return outside
