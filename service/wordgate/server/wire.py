"""Messages that are none.

Knows protobuf's wire format; does not know what messages mean. grpcio answers bytes that cannot be
parsed as INTERNAL or UNKNOWN and names nothing; here they become a value that says which field is
wrong, so that the call can be refused as any other bad input.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from wordgate.errors import InvalidInput
from wordgate.server.metrics import Method

_MAX_EXPLAINED_BYTES = 64 * 1024
"""Of longer ones the field is not looked for: everybody would wait for it."""


@dataclass(frozen=True)
class Malformed:
    """Bytes that are no message of the type that they should be."""

    field: str
    problem: str


def tolerant(deserializer: Callable[[bytes], Any], method: Method) -> Callable[[bytes], Any]:
    """The same deserializer, which answers `Malformed` where it would raise."""
    expected = Default().FindMethodByName(f"{method.service}.{method.name}").input_type

    def deserialize(data: bytes) -> Any:
        try:
            return deserializer(data)
        except DecodeError:
            return _explain(data, expected)

    return deserialize


def well_formed(request: Any) -> Any:
    """The request; raises `InvalidInput` when it is `Malformed`."""
    if isinstance(request, Malformed):
        raise InvalidInput(request.field, request.problem)
    return request


def _explain(data: bytes, expected: Descriptor) -> Malformed:
    field = _not_utf8(data, expected) if len(data) <= _MAX_EXPLAINED_BYTES else None
    if field is None:
        return Malformed("message", f"is no {expected.full_name}")
    return Malformed(field, "is not valid UTF-8")


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
