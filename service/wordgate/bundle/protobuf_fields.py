"""Parse and write the fields of a serialised protobuf message without generated classes.

The server does not install the `onnx` package, but must check a graph before onnxruntime reads it.
Wire format: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Collection, Mapping, Sequence

VARINT, BYTES = 0, 2
"""Supported wire types; messages read here use no others."""

_MAX_FIELDS = 100_000
_MAX_VARINT_BYTES = 10

Value = int | memoryview
Fields = dict[int, list[Value]]


class FieldReader:
    """A strict parser: only known field numbers and wire types, at most 100,000 fields in all."""

    def __init__(self) -> None:
        self._left = _MAX_FIELDS

    def read(self, message: memoryview, known: Mapping[int, Collection[int]]) -> Fields:
        """Return the values of each field, in order. `known` has the wire types by field number.

        Raises `ValueError` for a malformed message or an unknown field.
        """
        fields: Fields = {}
        offset = 0
        while offset < len(message):
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"more than {_MAX_FIELDS} fields")
            key, offset = _varint(message, offset)
            number, kind = key >> 3, key & 7
            if kind not in known.get(number, ()):
                raise ValueError(f"unexpected field {number} of type {kind}")
            value, offset = _value(message, offset, kind)
            fields.setdefault(number, []).append(value)
        return fields

    def integers(self, values: Sequence[Value]) -> list[int]:
        """Return the 64-bit integers of a repeated field, packed or not."""
        integers = []
        for value in values:
            if isinstance(value, int):
                integers.append(_signed(value))
                continue
            offset = 0
            while offset < len(value):
                self._left -= 1
                if self._left < 0:
                    raise ValueError(f"more than {_MAX_FIELDS} fields")
                number, offset = _varint(value, offset)
                integers.append(_signed(number))
        return integers


def one_integer(fields: Fields, number: int) -> int:
    """Return the value of a field, 0 if absent. Raises `ValueError` if it is repeated."""
    value = _only(fields, number)
    return _signed(value) if isinstance(value, int) else 0


def one_text(fields: Fields, number: int) -> str:
    """Return the value of a field as text, empty if absent.

    Raises `ValueError` if it is repeated or not UTF-8.
    """
    return str(one_message(fields, number), "utf-8")


def one_message(fields: Fields, number: int) -> memoryview:
    """Return the value of a field as bytes, empty if absent.

    Raises `ValueError` if it is repeated.
    """
    value = _only(fields, number)
    return value if isinstance(value, memoryview) else memoryview(b"")


def texts(fields: Fields, number: int) -> list[str]:
    """Return the values of a repeated field as text. Raises `ValueError` unless it is UTF-8."""
    return [str(value, "utf-8") for value in messages(fields, number)]


def messages(fields: Fields, number: int) -> list[memoryview]:
    """Return the values of a repeated field as bytes."""
    return [value for value in fields.get(number, ()) if isinstance(value, memoryview)]


def _only(fields: Fields, number: int) -> Value | None:
    values = fields.get(number, [])
    if len(values) > 1:
        raise ValueError(f"field {number} occurs {len(values)} times")
    return values[0] if values else None


def _value(message: memoryview, offset: int, kind: int) -> tuple[Value, int]:
    if kind == VARINT:
        return _varint(message, offset)
    size, offset = _varint(message, offset)
    after = offset + size
    if after > len(message):
        raise ValueError("message ends within a field")
    return message[offset:after], after


def bytes_field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field."""
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """Return a non-negative integer as a varint."""
    groups = []
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def _varint(message: memoryview, offset: int) -> tuple[int, int]:
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        if offset + index >= len(message):
            raise ValueError("message ends within a number")
        byte = message[offset + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & (2**64 - 1), offset + index + 1
    raise ValueError("number has more than 64 bits")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
