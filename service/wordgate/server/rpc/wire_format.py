"""Check and parse protobuf messages, and name the field of an invalid one.

grpcio answers a malformed message with INTERNAL or UNKNOWN and no details. Messages are parsed here
instead, so that the call fails with INVALID_ARGUMENT and the field's name. A nested message may
take 2 bytes on the wire and 50 in memory, so short fields are counted before parsing.

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
"""Longer malformed messages are rejected without a search for the invalid field."""

_BYTES_PER_STEP = 64 * 1024
_SHORT_FIELD_BYTES = 9
_MAX_LENGTH_BYTES = 5
_GOES_ON = 0x80
"""A varint byte with the continuation bit and no payload: a length of 0 may take 5 bytes."""

_BYTES_PER_SHORT_FIELD = 8
_LENGTH_DELIMITED = 2

_IS_TAG = np.array([byte & 7 == _LENGTH_DELIMITED for byte in range(256)])
"""For each byte, whether it can begin the tag of a length-delimited field."""


def request_type(method: Method) -> Descriptor:
    """Return the request message type of a method."""
    descriptor: Descriptor = (
        Default().FindMethodByName(f"{method.service}.{method.name}").input_type
    )
    return descriptor


def parsed(data: bytes, parse: Callable[[bytes], Any], expected: Descriptor) -> Any:
    """Parse a message. Raises `InvalidInput` if it is malformed."""
    try:
        return parse(data)
    except DecodeError:
        field = _not_utf8(data, expected) if len(data) <= _MAX_EXPLAINED_BYTES else None
    if field is None:
        raise InvalidInput("message", f"is not a {expected.full_name}")
    raise InvalidInput(field, "is not valid UTF-8")


def check_density(data: bytes, max_message_bytes: int) -> Iterator[None]:
    """Count the length-delimited fields of fewer than 9 bytes, in short steps.

    Raises `InvalidInput` for more than one such field per 8 bytes of `max_message_bytes`, about 3
    times as many as the other limits allow in a useful message. Longer fields need not be counted:
    the size of the message bounds their number. The count also includes matching bytes inside
    texts, where such a pair (a tag, then a control character other than tab and line break) is
    rare.
    """
    most = max_message_bytes // _BYTES_PER_SHORT_FIELD
    count = 0
    for first in range(0, len(data), _BYTES_PER_STEP):
        count += _short_fields(data[first : first + _BYTES_PER_STEP + _MAX_LENGTH_BYTES])
        if count > most:
            problem = f"has more than {most} short fields; split it into smaller messages"
            raise InvalidInput("message", problem)
        yield


def _short_fields(data: bytes) -> int:
    """Return the number of tags that are followed by a short length, of 1 to 5 bytes."""
    part = np.frombuffer(data, np.uint8)
    begun = _IS_TAG[part[:_BYTES_PER_STEP]]
    count = 0
    for offset in range(1, _MAX_LENGTH_BYTES + 1):
        following = part[offset : offset + len(begun)]
        begun = begun[: len(following)]
        count += int(np.count_nonzero(begun & (following < _SHORT_FIELD_BYTES)))
        begun = begun & (following == _GOES_ON)
        if not begun.any():
            break
    return count


def _not_utf8(data: bytes, expected: Descriptor) -> str | None:
    """Return the path of the first string field that is not valid UTF-8, or None."""
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
