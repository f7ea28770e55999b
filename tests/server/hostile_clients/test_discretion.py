"""User text never appears in the log or in a metric, with any request and log level."""

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from tests.protocol_methods import methods
from tests.running import RunningServer, serving
from tests.server import http2
from tests.server.http2 import Connection

from wordgate.protocol.address import split_address
from wordgate.server.security.tokens import Token, digest_of

CANARY = "zqcanaryqz"
LOUD = {"GRPC_VERBOSITY": "DEBUG", "PYTHONASYNCIODEBUG": "1", "PYTHONWARNINGS": "default"}
NUMBERS = (0, 1, 3, -1, 2**31 - 1, float("nan"), float("inf"), 0.5)


@pytest.fixture
def loud(bundle: Path) -> Iterator[RunningServer]:
    """A server with all logging enabled."""
    with serving(bundle, "--access-log", "all", variables=LOUD) as server:
        yield server


def test_user_text_is_not_logged(loud: RunningServer) -> None:
    """Odd requests of every method have a canary in all texts, headers, names and bad bytes."""
    noise = random.Random(1)
    with grpc.insecure_channel(loud.address) as channel:
        for path, method in methods():
            for _ in range(25):
                messages = [
                    _message(method.input_type, noise, depth=4) for _ in range(noise.randint(1, 3))
                ]
                _ask(channel, path, [message.SerializeToString() for message in messages])
            _ask(channel, path, [CANARY.encode(), b"\xff" + CANARY.encode()])
            _ask(channel, path, [b"\x0a\x0c\xff" + CANARY.encode() + b"\xff"])
        _ask(channel, f"/wordgate.v1.{CANARY}/{CANARY}", [b""])
        _ask(channel, http2.PREDICT, [CANARY.encode() * 200_000])
    with Connection(loud.address) as connection:
        connection.send(http2.opening(1, f"/{CANARY}\xff") + http2.sent(1, CANARY.encode()))
    _assert_unseen(loud, CANARY)


def test_tokens_are_not_logged(bundle: Path, tmp_path: Path) -> None:
    """Neither a valid nor an invalid token is logged; the name of the valid one may be."""
    path = tmp_path / "tokens"
    path.write_text(Token("phone", digest_of(CANARY)).line)
    with serving(bundle, "--tokens-file", str(path), variables=LOUD) as server:
        with grpc.insecure_channel(server.address) as channel:
            for token in (CANARY, f"wrong{CANARY}"):
                headers = (("authorization", f"Bearer {token}"),)
                _ask(channel, http2.PREDICT, [b""], headers)
                _ask(channel, http2.STREAM_PREDICT, [b"\xff"], headers)
        _assert_unseen(server, CANARY)


def _assert_unseen(server: RunningServer, canary: str) -> None:
    _, page = server.get("/metrics")
    server.terminate()
    assert server.wait() == 0
    assert "internal error" not in server.output
    for seen in (page, server.output):
        assert canary not in seen.lower()
        assert canary.encode().hex() not in seen.lower()


def _ask(channel: grpc.Channel, path: str, messages: list[bytes], headers: Any = None) -> None:
    method: Any = channel.stream_stream(path)
    metadata = headers or (
        (f"x-{CANARY}", CANARY),
        ("user-agent", CANARY),
        ("x-request-id", f"the {CANARY} is"),
    )
    with suppress(grpc.RpcError):
        list(method(iter(messages), metadata=metadata, timeout=60))


def _message(kind: Descriptor, noise: random.Random, depth: int) -> Any:
    """Return a message with the canary in all texts and random numbers, some of them valid."""
    message: Any = GetMessageClass(kind)()
    for field in kind.fields:
        if noise.random() < 0.3:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)[CANARY] = noise.random()
        elif field.message_type is not None:
            if depth:
                inner = getattr(message, field.name)
                found = _message(field.message_type, noise, depth - 1)
                (inner.add() if field.is_repeated else inner).CopyFrom(found)
        else:
            with suppress(ValueError, TypeError):
                _set(message, field, noise)
    return message


def _set(message: Any, field: FieldDescriptor, noise: random.Random) -> None:
    text = noise.choice((CANARY, f"the {CANARY} is ", CANARY.upper(), CANARY * 500))
    value = text if field.type == FieldDescriptor.TYPE_STRING else noise.choice(NUMBERS)
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def test_the_server_opens_no_connections(bundle: Path) -> None:
    """A server that has answered requests has sockets for its two ports only."""
    with serving(bundle) as server, grpc.insecure_channel(server.address) as channel:
        _ask(channel, http2.PREDICT, [b""])
        assert server.get("/metrics")[0] == 200
        ports = {split_address(address)[1] for address in (server.address, server.metrics_address)}
        assert set(_local_ports(server.process.pid)) == ports


def _local_ports(pid: int) -> Iterator[int]:
    """Yield the local ports of a process's TCP and UDP sockets."""
    links = (str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir())
    inodes = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        lines = Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]
        for columns in map(str.split, lines):
            if columns[9] in inodes:
                yield int(columns[1].rpartition(":")[2], 16)
