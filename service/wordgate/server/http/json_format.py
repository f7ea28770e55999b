"""Convert messages between JSON and the binary format of protobuf.

Uses `protobuf-py`, the message library of Connect, which is written in Rust. It is 15 to 30 times
as fast as `google.protobuf.json_format`, and the event loop waits for it.

Format: https://protobuf.dev/programming-guides/json/
"""

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorSet
from google.protobuf.message import Message
from protobuf import Message as JsonMessage
from protobuf import Registry
from protobuf.wkt import FileDescriptorSet as JsonFileDescriptorSet

from wordgate.errors import InvalidInput
from wordgate.server.http.handlers import SERVICE_FILES
from wordgate.server.http.json_bounds import check_json

_MAX_CHARACTERS = 200
"""Maximum length of a parser's explanation in an error message: it may quote the request."""


class JsonFormat:
    """Converts the messages of all services."""

    def __init__(self) -> None:
        self._registry = _registry()
        self._types: dict[str, type[JsonMessage]] = {}

    def to_binary(self, data: bytes, message_type: str) -> bytes:
        """Return a message in the binary format.

        Raises `InvalidInput` for malformed JSON, unknown fields, and values of the wrong type or
        out of its range.
        """
        check_json(data)
        try:
            return self._type(message_type).from_json(data).to_binary()
        except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
            problem = " ".join(str(error).split())[:_MAX_CHARACTERS]
            raise InvalidInput("message", f"is not a {message_type} in JSON: {problem}") from None

    def of(self, message: Message) -> bytes:
        """Return a message in JSON."""
        binary = message.SerializeToString()
        return self._type(message.DESCRIPTOR.full_name).from_binary(binary).to_json().encode()

    def _type(self, name: str) -> type[JsonMessage]:
        if name not in self._types:
            descriptor = self._registry.message(name)
            assert descriptor is not None
            self._types[name] = descriptor.type
        return self._types[name]


def _registry() -> Registry:
    """Return the messages of the services, and the files that they import."""
    files: dict[str, FileDescriptor] = {}
    for file in SERVICE_FILES:
        _add(file, files)
    described = FileDescriptorSet()
    for file in files.values():
        copy = described.file.add()
        file.CopyToProto(copy)
        for message in copy.message_type:
            _name_fields(message)
    return JsonFileDescriptorSet.from_binary(described.SerializeToString()).to_registry()


def _add(file: FileDescriptor, files: dict[str, FileDescriptor]) -> None:
    for needed in file.dependencies:
        _add(needed, files)
    files.setdefault(file.name, file)


def _name_fields(message: DescriptorProto) -> None:
    """Set the JSON names of the fields, which `CopyToProto` leaves out."""
    for field in message.field:
        first, *others = field.name.split("_")
        field.json_name = first + "".join(word.capitalize() for word in others)
    for nested in message.nested_type:
        _name_fields(nested)
