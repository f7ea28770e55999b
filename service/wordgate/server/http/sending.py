"""Send an HTTP response at the pace of its client."""

from starlette.types import Message, Send

_CHUNK_BYTES = 64 * 1024
"""A response is written in parts of this size; each waits until the previous ones are sent."""


class Sender:
    """Sends one response. `is_complete` once all of it is written."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.is_complete = False

    async def __call__(self, message: Message) -> None:
        """Send an ASGI event."""
        body = message.get("body", b"")
        for first in range(0, len(body) - _CHUNK_BYTES, _CHUNK_BYTES):
            part = body[first : first + _CHUNK_BYTES]
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
        if len(body) > _CHUNK_BYTES:
            rest = (len(body) - 1) // _CHUNK_BYTES * _CHUNK_BYTES
            message = {**message, "body": body[rest:]}
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.is_complete = True
