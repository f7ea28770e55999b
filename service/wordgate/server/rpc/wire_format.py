"""Protobuf's wire format: bound a message before it is parsed, and name the field that is wrong.

grpcio answers bytes that cannot be parsed as INTERNAL or UNKNOWN and names nothing. Messages are
parsed here instead, so that such a call is refused as any other bad input. A nested message may
take two bytes on the wire and fifty in memory, therefore short ones are counted first.

Format: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from wordgate.errors import InvalidInput
from wordgate.server.telemetry.metrics import Method

_MAX_EXPLAINED_BYTES = 4096
"""Longer messages are refused without a search for the field that is wrong."""

_BYTES_PER_STEP = 64 * 1024
_SHORT_FIELD_BYTES = 9
_MOST_LENGTH_BYTES = 5
_GOES_ON = 0x80
"""A byte of a number that adds nothing to it: a length of zero may be written in five bytes."""

_BYTES_PER_SHORT_FIELD = 8
_LENGTH_DELIMITED = 2

_IS_TAG = np.array([byte & 7 == _LENGTH_DELIMITED for byte in range(256)])
"""Whether a byte can begin the tag of a length-delimited field."""


def request_type(method: Method) -> Descriptor:
    """The type of a method's request."""
    found: Descriptor = Default().FindMethodByName(f"{method.service}.{method.name}").input_type
    return found


def parsed(data: bytes, parse: Callable[[bytes], Any], expected: Descriptor) -> Any:
    """The message. Raises `InvalidInput` for bytes that are not one."""
    try:
        return parse(data)
    except DecodeError:
        field = _not_utf8(data, expected) if len(data) <= _MAX_EXPLAINED_BYTES else None
    if field is None:
        raise InvalidInput("message", f"is not a {expected.full_name}")
    raise InvalidInput(field, "is not valid UTF-8")


def check_density(data: bytes, max_message_bytes: int) -> Iterator[None]:
    """Count the length-delimited fields of fewer than nine bytes, in short steps.

    Raises `InvalidInput` for more than one to eight bytes of the largest message, about three times
    as many as the other limits let a useful message have. Longer fields need no count: the bytes of
    the message bound them. The bytes are counted as they lie there, in texts too, where such a pair
    of bytes (a tag, then a control character, but not a tab or a line break) is rare.
    """
    most = max_message_bytes // _BYTES_PER_SHORT_FIELD
    found = 0
    for first in range(0, len(data), _BYTES_PER_STEP):
        found += _short_fields(data[first : first + _BYTES_PER_STEP + _MOST_LENGTH_BYTES])
        if found > most:
            problem = f"has more than {most} fields of few bytes; send several smaller messages"
            raise InvalidInput("message", problem)
        yield


def _short_fields(data: bytes) -> int:
    """How many tags are followed by a short length, in one to five bytes."""
    part = np.frombuffer(data, np.uint8)
    begun = _IS_TAG[part[:_BYTES_PER_STEP]]
    found = 0
    for place in range(1, _MOST_LENGTH_BYTES + 1):
        following = part[place : place + len(begun)]
        begun = begun[: len(following)]
        found += int(np.count_nonzero(begun & (following < _SHORT_FIELD_BYTES)))
        begun = begun & (following == _GOES_ON)
        if not begun.any():
            break
    return found


def _not_utf8(data: bytes, expected: Descriptor) -> str | None:
    """The path of the first string field that is not valid UTF-8."""
    try:
        unknown: Iterable[Any] = UnknownFieldSet(Empty.FromString(data))  # type: ignore[assignment]
    except DecodeError:
        return None
    for entry in unknown:
        declared = expected.fields_by_number.get(entry.field_number)
        if declared is not None and isinstance(entry.data, bytes):
            path = _not_utf8_inside(entry.data, declared)
            if path is not None:
                return path
    return None


def _not_utf8_inside(value: bytes, declared: FieldDescriptor) -> str | None:
    if declared.message_type is not None:
        inner = _not_utf8(value, declared.message_type)
        return None if inner is None else f"{declared.name}.{inner}"
    if declared.type == FieldDescriptor.TYPE_STRING:
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            return declared.name
    return None
