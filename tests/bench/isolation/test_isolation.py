"""Paced requests and the loads of the isolation benchmark."""

from random import Random

import pytest
from tests.fake_model import TokenReader
from tests.protocol_methods import methods
from tests.vocabularies import trained

from wordgate.api.v1.prediction_pb2 import PredictRequest, StreamPredictRequest
from wordgate.bench.isolation.latency import paced, percentile
from wordgate.bench.isolation.load import MAX_BYTES, Load
from wordgate.bench.isolation.loads import GROUPS, LEGAL
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.context_window import MAX_CONTEXT_TOKENS, read
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import NullStateStore


class _Clock:
    """A fake clock that advances only during waits and requests."""

    def __init__(self, *durations: float) -> None:
        self.now = 0.0
        self.durations = list(durations)
        self.asked = 0

    def ask(self) -> str:
        self.asked += 1
        self.now += self.durations.pop(0) if self.durations else 0.0
        return "UNAVAILABLE" if self.asked == 2 else ""

    def wait(self, seconds: float) -> None:
        self.now += seconds


def test_a_stall_counts_for_every_request_that_came_due_meanwhile() -> None:
    """A response time of one second at 4 requests per second counts as four late requests."""
    clock = _Clock(0.125, 1.0)
    pings = paced(clock.ask, 0.25, 2.0, clock=lambda: clock.now, wait=clock.wait)
    assert pings.seconds[:6] == [0.125, 1.0, 0.75, 0.5, 0.25, 0.0]
    assert len(pings.seconds) == 8
    assert pings.failures == {"UNAVAILABLE": 1}
    assert clock.asked == 4


def test_percentiles_are_members_of_the_sample() -> None:
    """Nearest rank: the 99th percentile of 100 samples is the second largest."""
    sample = [float(number) for number in range(100, 0, -1)]
    assert (percentile(sample, 50), percentile(sample, 99), percentile(sample, 100)) == (
        50,
        99,
        100,
    )
    assert percentile([3.0], 99) == 3.0


@pytest.mark.parametrize(
    ("group", "name"), [(group, name) for group, loads in GROUPS.items() for name in loads]
)
def test_loads_are_messages_of_their_methods_within_the_limit(group: str, name: str) -> None:
    """Messages are below the size limit, except in `too_large`, and distinct."""
    load = GROUPS[group][name](Random(1))
    inputs = {path: method.input_type for path, method in methods()}
    assert load.path in inputs
    sizes = [len(message) for message in (load.first, load.message(0), load.message(10**6))]
    assert (max(sizes) <= MAX_BYTES) == (name != "too_large")
    if group == "legal" and name not in {"list_models", "get_model"}:
        assert load.message(1) != load.message(1 + len(load.messages))
    assert load.message(3) == load.message(3)


@pytest.mark.parametrize(
    "name", [name for name in LEGAL if name.startswith(("predict", "stream_p"))]
)
def test_no_cache_knows_the_context_of_a_legal_load(name: str) -> None:
    """Messages differ early in the context that the model reads."""
    load = LEGAL[name](Random(1))
    first, second = (_context(load, load.message(number)) for number in (1, 1 + len(load.messages)))
    known = next((n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    assert name == "stream_predict_beginning" or (known is not None and known < 100)


def test_the_load_of_most_tokens_is_close_to_the_limit() -> None:
    """The context has more than 90 % of the maximum number of tokens."""
    load = LEGAL["predict_tokens"](Random(1))
    assert 0.9 * MAX_CONTEXT_TOKENS < len(_context(load, load.message(1))) <= MAX_CONTEXT_TOKENS + 1


def _context(load: Load, message: bytes) -> tuple[int, ...]:
    """Return the tokens that the model reads of a message's text."""
    if load.is_stream:
        text = StreamPredictRequest.FromString(message).text.text
    else:
        request = PredictRequest.FromString(message)
        text = f"{request.history} {request.prefix}"
    return run_to_completion(
        read(trained(), text, NullStateStore(())), TokenReader(AdaptiveSoftmaxLayout((2,)))
    )
