"""How many Python calls a prediction takes between the servicer and the engine."""

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import wordgate
from wordgate.api.v1.prediction_pb2 import PredictRequest
from wordgate.bundle.bundled_model import resolve_bundle
from wordgate.engine.executor import EngineExecutor
from wordgate.engine.loaded_model import ServedModel, open_model
from wordgate.engine.scheduler import Scheduler
from wordgate.protocol.limits import Limits
from wordgate.server.models.registry import Registry
from wordgate.server.services.context import ServingContext
from wordgate.server.services.prediction import PredictionServicer
from wordgate.server.telemetry.metrics import Metrics

PACKAGE = str(Path(wordgate.__file__).parent)
MAX_WARM, MAX_COLD = 330, 760
"""Somewhat above what was measured: 290 for a known text, 710 for five new words."""


@pytest.fixture(scope="module")
def model() -> ServedModel:
    """The model of the package."""
    return open_model(resolve_bundle(None))


class _Call:
    """A call without a deadline."""

    def time_remaining(self) -> float | None:
        return None


@contextmanager
def _counted() -> Iterator[Counter[str]]:
    """Count the calls and resumptions of this package's functions, in all new threads and here."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            calls[frame.f_code.co_qualname] += 1

    threading.setprofile(count)
    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


async def test_a_prediction_takes_few_calls(model: ServedModel) -> None:
    """A request's way stays short: a history is read without resuming the search per token."""
    with _counted() as calls:
        engine = EngineExecutor(Scheduler())
        serving = ServingContext(Registry([model]), engine, Limits(), Metrics(), "cpu")
        servicer = PredictionServicer(serving)

        async def predict(text: str) -> int:
            calls.clear()
            call: Any = _Call()
            await servicer.Predict(PredictRequest(history=text), call)
            return calls.total()

        await predict("It was a bright cold day")
        cold = await predict("The keys to the cabinet")
        warm = await predict("The keys to the cabinet")
    engine.close()
    assert 100 < warm < MAX_WARM
    assert warm < cold < MAX_COLD
