"""A typing session without a server, on a model in this process."""

import asyncio
import gc
from collections.abc import AsyncIterator
from functools import partial

import pytest
from tests.running import until
from tests.server.requests import LONG_TO_READ, configured, text

from wordgate.api.v1.prediction_pb2 import StreamPredictRequest, StreamPredictResponse
from wordgate.engine.executor import EngineExecutor
from wordgate.engine.local_model import LocalModel
from wordgate.engine.lstm_state import NetworkState
from wordgate.engine.scheduler import Scheduler
from wordgate.errors import InvalidInput, Unavailable
from wordgate.protocol.limits import Limits
from wordgate.server.models.registry import Registry
from wordgate.server.services.context import ServingContext
from wordgate.server.services.typing_session import Sessions
from wordgate.server.telemetry.metrics import Metrics


class _Stream:
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


@pytest.fixture
async def serving(local: LocalModel) -> AsyncIterator[ServingContext]:
    """The parts of a server that a session needs."""
    engine = EngineExecutor(Scheduler())
    yield ServingContext(Registry([local.served]), engine, Limits(), Metrics(), "cpu")
    engine.close()


@pytest.fixture
async def stream() -> _Stream:
    """A stream without messages."""
    return _Stream()


def _begin(
    serving: ServingContext, stream: _Stream, sessions: Sessions | None = None
) -> "asyncio.Task[None]":
    async def run() -> None:
        with (sessions or Sessions(serving)).opened() as session:
            await session.run(stream.requests(), stream.write)

    return asyncio.create_task(run())


async def test_an_idle_session_has_only_the_task_of_its_call(
    serving: ServingContext, stream: _Stream
) -> None:
    """There may be thousands of idle sessions."""
    sessions = Sessions(serving)
    others = [_Stream() for _ in range(3)]
    running = [_begin(serving, each, sessions) for each in (stream, *others)]
    for each in (stream, *others):
        each.send(configured(), text(1, "the clo"))
        assert await each.answers.get() == 1
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1 + len(running) + 1
    for each in (stream, *others):
        each.send(None)
    await asyncio.gather(*running)


async def test_an_answer_being_written_precedes_the_status(
    serving: ServingContext, stream: _Stream
) -> None:
    """An invalid message ends the session after the answer that is being sent."""
    stream.room.clear()
    running = _begin(serving, stream)
    stream.send(configured(), text(2, "the clo"))
    await stream.writing.wait()
    stream.send(text(1, "the clou"))
    await stream.sent.join()
    assert not running.done()
    stream.room.set()
    with pytest.raises(InvalidInput, match="sequence"):
        await running
    assert await stream.answers.get() == 2


async def test_a_text_waits_while_an_answer_is_being_written(
    serving: ServingContext, stream: _Stream
) -> None:
    """A client that does not read has one answer in transit, then the one to its latest text."""
    stream.room.clear()
    running = _begin(serving, stream)
    stream.send(configured(), text(1, "the clo"))
    await stream.writing.wait()
    stream.send(text(2, "the clou"), None)
    stream.room.set()
    await running
    assert [stream.answers.get_nowait() for _ in range(2)] == [1, 2]


async def test_draining_ends_sessions_after_their_answer(
    serving: ServingContext, stream: _Stream
) -> None:
    """An idle session ends at once, and a busy one after its answer."""
    waiting, sessions = _Stream(), Sessions(serving)
    stream.room.clear()
    both = [_begin(serving, each, sessions) for each in (waiting, stream)]
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


async def test_a_cancelled_search_leaves_no_states(
    serving: ServingContext, stream: _Stream, local: LocalModel
) -> None:
    """After a call is cancelled, only the states in the shared caches remain."""
    before = _states()
    running = _begin(serving, stream)
    stream.send(configured(), text(1, LONG_TO_READ))
    asked = partial(_asked_rows, serving.metrics)
    await asyncio.to_thread(until, asked, "the search to begin")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.to_thread(serving.engine.close)
    cached = {id(state) for state in local.served.cache.kept()}
    assert _states() - before <= cached


def _asked_rows(metrics: Metrics) -> float:
    labels = {"kind": "step", "priority": "interactive"}
    return metrics.registry.get_sample_value("wordgate_model_rows_total", labels) or 0


def _states() -> set[int]:
    """Return all live states in this process."""
    gc.collect()
    return {id(found) for found in gc.get_objects() if isinstance(found, NetworkState)}


async def test_a_cancelled_call_is_cancelled(serving: ServingContext, stream: _Stream) -> None:
    """A client that disconnects is not an error, and its search stops."""
    running = _begin(serving, stream)
    stream.send(configured())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
