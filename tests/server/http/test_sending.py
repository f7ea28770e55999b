"""Sending a response in parts."""

from typing import Any

import pytest

from wordgate.server.http.sending import Sender

PART = 64 * 1024


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, 2 * PART, 3 * PART + 5])
async def test_a_large_body_is_sent_in_parts(size: int) -> None:
    """Parts have at most 64 KiB, and only the last one ends the response."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    sender = Sender(send)
    body = bytes(number % 251 for number in range(size))
    await sender({"type": "http.response.start", "status": 200, "headers": []})
    assert not sender.is_complete
    await sender({"type": "http.response.body", "body": body, "more_body": False})
    _, *parts = sent
    assert b"".join(part["body"] for part in parts) == body
    assert all(len(part["body"]) <= PART for part in parts)
    assert [part["more_body"] for part in parts] == [True] * (len(parts) - 1) + [False]
    assert sender.is_complete


async def test_a_stream_is_complete_at_its_last_event() -> None:
    """Events that announce more leave the response open."""

    async def send(message: Any) -> None:
        pass

    sender = Sender(send)
    await sender({"type": "http.response.body", "body": b"word", "more_body": True})
    assert not sender.is_complete
