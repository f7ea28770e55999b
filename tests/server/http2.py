"""Raw HTTP/2 frames, for clients that break the protocol. Nothing is validated."""

import socket
import struct
from collections.abc import Iterable
from typing import Self

from wordgate.protocol.address import split_address

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
INITIAL_WINDOW_SIZE = 4
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
PREDICT = "/wordgate.v1.PredictionService/Predict"
STREAM_PREDICT = "/wordgate.v1.PredictionService/StreamPredict"

_STATUS = b"\x0bgrpc-status"

Header = tuple[bytes, bytes]


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """Return one frame, without any checks."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + stream.to_bytes(4) + payload


def packed(headers: Iterable[Header]) -> bytes:
    """Return headers encoded as never-indexed literals."""
    return b"".join(b"\x10" + string(name) + string(value) for name, value in headers)


def call(path: str, *more: Header) -> list[Header]:
    """Return the headers of a gRPC call."""
    return [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode("latin-1")),
        (b":authority", b"localhost"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        *more,
    ]


def opening(stream: int, path: str = PREDICT, *more: Header, ends: bool = False) -> bytes:
    """Return the HEADERS frame that begins a call."""
    flags = END_HEADERS | (END_STREAM if ends else 0)
    return frame(HEADERS, flags, stream, packed(call(path, *more)))


def message(body: bytes, *, compressed: bool = False) -> bytes:
    """Return a message with gRPC's length prefix, for DATA frames."""
    return bytes([compressed]) + struct.pack(">I", len(body)) + body


def sent(stream: int, data: bytes, size: int = 16_000) -> bytes:
    """Return DATA frames, of which the last ends the stream.

    The first 64 KB need no window update.
    """
    parts = [data[place : place + size] for place in range(0, len(data), size)]
    frames = [frame(DATA, 0, stream, part) for part in parts[:-1]]
    return b"".join(frames) + frame(DATA, END_STREAM, stream, parts[-1])


class Connection:
    """A raw HTTP/2 connection, after the preface."""

    def __init__(self, address: str, *, begins: bool = True) -> None:
        self._socket = socket.create_connection(split_address(address), timeout=30)
        if begins:
            self.send(PREFACE + frame(SETTINGS))

    def send(self, data: bytes) -> bool:
        """Send data; return False if the connection is closed."""
        try:
            self._socket.sendall(data)
        except OSError:
            return False
        return True

    def send_message(self, stream: int, path: str, body: bytes) -> None:
        """Begin a call with one message of any size, and wait for window updates."""
        data = message(body)
        room = {0: 65_535, stream: 65_535}
        self.send(opening(stream, path))
        for place in range(0, len(data), 16_000):
            part = data[place : place + 16_000]
            while min(room.values()) < len(part):
                self._read_windows(room)
            last = place + len(part) == len(data)
            self.send(frame(DATA, END_STREAM if last else 0, stream, part))
            room = {each: left - len(part) for each, left in room.items()}

    def _read_windows(self, room: dict[int, int]) -> None:
        """Read frames until a window update for the connection or the stream."""
        while True:
            header = self._receive(9)
            payload = self._receive(int.from_bytes(header[:3]))
            stream = int.from_bytes(header[5:])
            if header[3] == WINDOW and stream in room:
                room[stream] += int.from_bytes(payload)
                return
            if header[3] == SETTINGS and not header[4] & ACK:
                self.send(frame(SETTINGS, ACK))

    def _receive(self, size: int) -> bytes:
        received = b""
        while len(received) < size:
            part = self._socket.recv(size - len(received))
            assert part, "closed"
            received += part
        return received

    def settle(self) -> dict[int, int]:
        """Wait for the server's settings, acknowledge them, and return them by number."""
        received = b""
        while len(received) < 9 + (size := int.from_bytes(received[:3])):
            received += self._socket.recv(1 << 16)
        assert received[3] == SETTINGS
        self.send(frame(SETTINGS, ACK))
        return dict(struct.iter_unpack(">HI", received[9 : 9 + size]))

    @property
    def is_closed(self) -> bool:
        """Whether the server closes the connection; waits for it."""
        try:
            while self._socket.recv(1 << 16):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def wait_for_reset(self, stream: int) -> None:
        """Wait until the server resets a stream."""
        wanted = frame(RST_STREAM, 0, stream, bytes(4))[:9]
        received = b""
        while wanted not in received:
            part = self._socket.recv(1 << 16)
            assert part, f"closed after {received!r}"
            received += part

    def status_of_first_call(self) -> int:
        """Return the gRPC status number from the trailers, which servers write as literals."""
        received = b""
        while (place := received.find(_STATUS)) < 0:
            part = self._socket.recv(1 << 16)
            assert part, f"closed after {received!r}"
            received += part
        place += len(_STATUS)
        digits = received[place + 1 : place + 1 + received[place]]
        return int(digits)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def string(value: bytes) -> bytes:
    """Return an HPACK string without Huffman coding; its length is a 7-bit prefix integer."""
    length = len(value)
    if length < 127:
        return bytes([length]) + value
    rest, length = bytearray([127]), length - 127
    while length >= 128:
        rest.append(length % 128 + 128)
        length //= 128
    return bytes(rest) + bytes([length]) + value
