"""A plain HTTP client for tests."""

import json
import socket
import struct
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from ssl import SSLContext
from typing import Any

from tests.running import RunningServer

from wordgate.protocol.address import split_address

PREDICT = "/wordgate.v1.PredictionService/Predict"
GENERATE = "/wordgate.v1.PredictionService/StreamGenerate"
JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Connect's code of an error."""
        return str(self.json["code"])

    @property
    def frames(self) -> list[tuple[int, bytes]]:
        """Flags and data of each frame of a stream."""
        rest, frames = self.body, []
        while rest:
            flags, size = struct.unpack(">BI", rest[:5])
            frames.append((flags, rest[5 : 5 + size]))
            rest = rest[5 + size :]
        return frames


def post(
    server: RunningServer,
    path: str,
    body: Any,
    content_type: str | None = JSON,
    tls: SSLContext | None = None,
    **headers: str,
) -> Answer:
    """Send one request. A `body` that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type is not None:
        named["content-type"] = content_type
    return ask(server, "POST", path, data, named, tls)


def ask(
    server: RunningServer,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    tls: SSLContext | None = None,
) -> Answer:
    """Send one request of any kind."""
    host, port = split_address(server.http)
    open_one = HTTPConnection(host, port, timeout=60)
    connection = open_one if tls is None else HTTPSConnection(host, port, timeout=60, context=tls)
    try:
        connection.request(method, path, body or None, headers or {})
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())
    finally:
        connection.close()


def frame(data: bytes, flags: int = 0) -> bytes:
    """Return a message of a stream with its prefix."""
    return struct.pack(">BI", flags, len(data)) + data


def connected(server: RunningServer, sent: bytes = b"") -> socket.socket:
    """Open a connection and send bytes."""
    client = socket.create_connection(split_address(server.http), timeout=60)
    client.sendall(sent)
    return client


def response(client: socket.socket) -> tuple[int, bytes]:
    """Return the status and the whole body of the next response, in however many parts it comes."""
    received = HTTPResponse(client, method="POST")
    received.begin()
    return received.status, received.read()


def answered(client: socket.socket) -> bytes:
    """Return all bytes that arrive until the server closes the connection."""
    received = b""
    try:
        while part := client.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def head(path: str = PREDICT, *lines: str) -> bytes:
    """Return the head of a JSON request with further header lines."""
    first = [f"POST {path} HTTP/1.1", "host: localhost", f"content-type: {JSON}"]
    return "\r\n".join([*first, *lines, "", ""]).encode("latin-1")
