"""Run-time type checks of API arguments, above all to catch a str passed in place of a list.

To Python and to type checkers a str is a sequence of strs, so `score("", "ab")` would silently
score "a" and "b". The checks raise `TypeError` because the calling code is wrong, not the user's
input.
"""

from collections.abc import Collection, Mapping
from typing import Any


def require_text(value: Any, name: str) -> None:
    """Raise `TypeError` naming the argument unless it is a str."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: is {_a(value)}; pass a str")


def require_list(value: Any, name: str, of: str = "str") -> None:
    """Raise `TypeError` for a str, bytes, a mapping, or an iterator that can be read only once."""
    is_one = isinstance(value, str | bytes | bytearray | Mapping)
    if is_one or not isinstance(value, Collection):
        raise TypeError(f"{name}: is {_a(value)}; pass a list of {of}, even for a single entry")


def require_texts(values: Any, name: str) -> None:
    """Raise `TypeError` naming the argument or the entry unless it is a list of strs."""
    require_list(values, name)
    for index, value in enumerate(values):
        require_text(value, f"{name}[{index}]")


def require_each(values: Any, name: str, kind: type) -> None:
    """Raise `TypeError` naming the argument or the entry unless all entries are of this type."""
    require_list(values, name, kind.__name__)
    for index, value in enumerate(values):
        if not isinstance(value, kind):
            raise TypeError(f"{name}[{index}]: is {_a(value)}; pass {kind.__name__}")


def _a(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
