"""Bound the depth and the number of values of JSON before it is parsed.

The parser recurses without a limit of its own, and a value of 2 bytes may take 100 in memory.
"""

import re

import numpy as np

from wordgate.errors import InvalidInput

MOST_DEPTH = 32
"""Maximum nesting of objects and lists; requests need 6."""

MOST_VALUES = 131_072
"""Maximum number of values, as many as a binary message may have short fields."""

_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_CHANGE = np.array([(byte in b"[{") - (byte in b"]}") for byte in range(256)], np.int8)
_BEGINS_VALUE = np.array([byte in b"[{,:" for byte in range(256)])


def check_json(data: bytes) -> None:
    """Raise `InvalidInput` for JSON that is too deep or has too many values."""
    structure = np.frombuffer(_TEXT.sub(b"", data), np.uint8)
    depth = np.cumsum(_CHANGE[structure], dtype=np.int32).max(initial=0)
    if depth > MOST_DEPTH:
        raise InvalidInput("message", f"is nested more than {MOST_DEPTH} levels deep")
    if np.count_nonzero(_BEGINS_VALUE[structure]) > MOST_VALUES:
        problem = f"has more than {MOST_VALUES} values; send less, or use application/proto"
        raise InvalidInput("message", problem)
