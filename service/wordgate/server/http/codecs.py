"""Codecs for Connect's library: messages in JSON and in the binary format of protobuf.

A request is not decoded when the library asks for it, but by the handler of its call, which reads
the binary format only (`wordgate.server.rpc.inbound`). So the same checks apply to both formats.
"""

from typing import Any

from connectrpc.codec import Codec
from google.protobuf.message import Message

from wordgate.server.http.json_format import JsonFormat


class Received:
    """A request message as it was received."""

    def __init__(self, data: bytes | bytearray, json: JsonFormat | None) -> None:
        self._data = bytes(data)
        self._json = json

    def to_binary(self, message_type: str) -> bytes:
        """Return the message in the binary format, once. Raises `InvalidInput`.

        The data is not kept: Connect's library refers to the request until its call ends, and an
        error refers to the library's frames.
        """
        data, self._data = self._data, b""
        if self._json is None:
            return data
        return self._json.to_binary(data, message_type)


class _Codec(Codec[Any, Any]):
    def __init__(self, name: str, json: JsonFormat | None) -> None:
        self._name = name
        self._json = json

    def name(self) -> str:
        """Return the name in the content-type."""
        return self._name

    def encode(self, message: Message) -> bytes:
        """Return a response in this format."""
        if self._json is None:
            return message.SerializeToString()
        return self._json.of(message)

    def decode(self, data: bytes | bytearray, message_class: type[Any]) -> Any:
        """Return the request without decoding it."""
        return Received(data, self._json)


def codecs() -> list[Codec[Any, Any]]:
    """Return the codecs of both formats."""
    return [_Codec("proto", None), _Codec("json", JsonFormat())]
