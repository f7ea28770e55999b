"""The open typing sessions without a server, on a model in this process."""

import asyncio

import pytest
from tests.server.requests import configured, text
from tests.server.session_stream import SessionStream, begin_session

from wordgate.errors import Unavailable
from wordgate.server.services.context import ServingContext
from wordgate.server.services.open_sessions import OpenSessions


async def test_an_idle_session_has_only_the_task_of_its_call(
    serving: ServingContext, stream: SessionStream
) -> None:
    """There may be thousands of idle sessions."""
    sessions = OpenSessions(serving)
    others = [SessionStream() for _ in range(3)]
    running = [begin_session(serving, each, sessions) for each in (stream, *others)]
    for each in (stream, *others):
        each.send(configured(), text(1, "the clo"))
        assert await each.answers.get() == 1
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1 + len(running) + 1
    for each in (stream, *others):
        each.send(None)
    await asyncio.gather(*running)


async def test_draining_ends_sessions_after_their_answer(
    serving: ServingContext, stream: SessionStream
) -> None:
    """An idle session ends at once, and a busy one after its answer."""
    waiting, sessions = SessionStream(), OpenSessions(serving)
    stream.room.clear()
    both = [begin_session(serving, each, sessions) for each in (waiting, stream)]
    waiting.send(configured())
    stream.send(configured(), text(1, "the clo"))
    await stream.writing.wait()
    serving.draining.set()
    with pytest.raises(Unavailable):
        await both[0]
    assert not both[1].done()
    stream.room.set()
    with pytest.raises(Unavailable):
        await both[1]
    assert await stream.answers.get() == 1
