"""Fields of a serialised protobuf message, without the message's classes.

The serving side has no `onnx` package, and must know what a graph contains before onnxruntime
reads it. https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Collection, Mapping, Sequence

VARINT, BYTES = 0, 2
"""Wire types; the others are of no message that is read here."""

_MAX_FIELDS = 100_000
_MAX_VARINT_BYTES = 10

Value = int | memoryview
Fields = dict[int, list[Value]]


class FieldReader:
    """Reads messages strictly: at most 100,000 fields in all, of known numbers and types alone."""

    def __init__(self) -> None:
        self._left = _MAX_FIELDS

    def read(self, message: memoryview, known: Mapping[int, Collection[int]]) -> Fields:
        """Values of each field, in order. `known`: possible wire types by field number.

        Raises `ValueError` for what is not such a message.
        """
        found: Fields = {}
        place = 0
        while place < len(message):
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"more than {_MAX_FIELDS} fields")
            key, place = _varint(message, place)
            number, kind = key >> 3, key & 7
            if kind not in known.get(number, ()):
                raise ValueError(f"unexpected field {number} of type {kind}")
            value, place = _value(message, place, kind)
            found.setdefault(number, []).append(value)
        return found

    def integers(self, values: Sequence[Value]) -> list[int]:
        """The 64-bit integers of a repeated field, packed or not."""
        found = []
        for value in values:
            if isinstance(value, int):
                found.append(_signed(value))
                continue
            place = 0
            while place < len(value):
                self._left -= 1
                if self._left < 0:
                    raise ValueError(f"more than {_MAX_FIELDS} fields")
                number, place = _varint(value, place)
                found.append(_signed(number))
        return found


def one_integer(fields: Fields, number: int) -> int:
    """The only value of a field, 0 where it is absent. Raises `ValueError` for several."""
    value = _only(fields, number)
    return _signed(value) if isinstance(value, int) else 0


def one_text(fields: Fields, number: int) -> str:
    """The only value of a field as text, empty where it is absent. Raises `ValueError`."""
    return str(one_message(fields, number), "utf-8")


def one_message(fields: Fields, number: int) -> memoryview:
    """The only value of a field as bytes, none where it is absent. Raises `ValueError`."""
    value = _only(fields, number)
    return value if isinstance(value, memoryview) else memoryview(b"")


def texts(fields: Fields, number: int) -> list[str]:
    """The values of a repeated field as text. Raises `ValueError`."""
    return [str(value, "utf-8") for value in messages(fields, number)]


def messages(fields: Fields, number: int) -> list[memoryview]:
    """The values of a repeated field as bytes."""
    return [value for value in fields.get(number, ()) if isinstance(value, memoryview)]


def _only(fields: Fields, number: int) -> Value | None:
    values = fields.get(number, [])
    if len(values) > 1:
        raise ValueError(f"field {number} is there {len(values)} times")
    return values[0] if values else None


def _value(message: memoryview, place: int, kind: int) -> tuple[Value, int]:
    if kind == VARINT:
        return _varint(message, place)
    size, place = _varint(message, place)
    after = place + size
    if after > len(message):
        raise ValueError("ends in the middle of a field")
    return message[place:after], after


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        if place + index >= len(message):
            raise ValueError("ends in the middle of a number")
        byte = message[place + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & (2**64 - 1), place + index + 1
    raise ValueError("a number has more than 64 bits")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
