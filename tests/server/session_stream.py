"""Typing sessions without a server: both sides of a stream, and the call that runs it."""

import asyncio
from collections.abc import AsyncIterator

from wordgate.api.v1.prediction_pb2 import StreamPredictRequest, StreamPredictResponse
from wordgate.server.services.context import ServingContext
from wordgate.server.services.open_sessions import OpenSessions


class SessionStream:
    """Both sides of a stream: messages put in, answers that came out; `room` lets answers out."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[StreamPredictRequest | None] = asyncio.Queue()
        self.answers: asyncio.Queue[int] = asyncio.Queue()
        self.writing = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()

    async def requests(self) -> AsyncIterator[StreamPredictRequest]:
        while (request := await self.sent.get()) is not None:
            self.sent.task_done()
            yield request

    async def write(self, answer: StreamPredictResponse) -> None:
        self.writing.set()
        await self.room.wait()
        self.answers.put_nowait(answer.sequence)

    def send(self, *requests: StreamPredictRequest | None) -> None:
        for request in requests:
            self.sent.put_nowait(request)


def begin_session(
    serving: ServingContext, stream: SessionStream, sessions: OpenSessions | None = None
) -> "asyncio.Task[None]":
    """Run a session in a task of its own, as a call does."""

    async def run() -> None:
        with (sessions or OpenSessions(serving)).opened() as session:
            await session.run(stream.requests(), stream.write)

    return asyncio.create_task(run())
