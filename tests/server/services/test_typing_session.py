"""A typing session without a server, on a model in this process."""

import asyncio
import gc
from functools import partial

import pytest
from tests.running import until
from tests.server.requests import LONG_TO_READ, configured, text
from tests.server.session_stream import SessionStream, begin_session

from wordgate.engine.local_model import LocalModel
from wordgate.engine.lstm_state import NetworkState
from wordgate.errors import InvalidInput
from wordgate.server.services.context import ServingContext
from wordgate.server.telemetry.metrics import Metrics


async def test_an_answer_being_written_precedes_the_status(
    serving: ServingContext, stream: SessionStream
) -> None:
    """An invalid message ends the session after the answer that is being sent."""
    stream.room.clear()
    running = begin_session(serving, stream)
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
    serving: ServingContext, stream: SessionStream
) -> None:
    """A client that does not read has one answer in transit, then the one to its latest text."""
    stream.room.clear()
    running = begin_session(serving, stream)
    stream.send(configured(), text(1, "the clo"))
    await stream.writing.wait()
    stream.send(text(2, "the clou"), None)
    stream.room.set()
    await running
    assert [stream.answers.get_nowait() for _ in range(2)] == [1, 2]


async def test_a_cancelled_search_leaves_no_states(
    serving: ServingContext, stream: SessionStream, local: LocalModel
) -> None:
    """After a call is cancelled, only the states in the shared caches remain."""
    before = _states()
    running = begin_session(serving, stream)
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


async def test_a_cancelled_call_is_cancelled(
    serving: ServingContext, stream: SessionStream
) -> None:
    """A client that disconnects is not an error, and its search stops."""
    running = begin_session(serving, stream)
    stream.send(configured())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
