"""StreamGenerate on a real server: answers, invalid input, load, cancellation, draining."""

import asyncio
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.bundles import write_bundle
from tests.running import RunningServer, serving, until
from tests.server.requests import HISTORIES, LONG_TO_READ, field_named, long_score, refusal

from wordgate.api.v1.prediction_pb2 import (
    FINISH_REASON_MAX_WORDS,
    FINISH_REASON_STOP_WORD,
    FINISH_REASON_UNSPECIFIED,
    StreamGenerateRequest,
    StreamGenerateResponse,
)
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub
from wordgate.client import AsyncClient, Client
from wordgate.decoding.generation import GenerationQuery
from wordgate.engine.executor import EngineExecutor
from wordgate.engine.local_model import LocalModel
from wordgate.engine.scheduler import Scheduler
from wordgate.errors import Unavailable
from wordgate.protocol.generation import encode_generated_word
from wordgate.protocol.limits import Limits
from wordgate.server.models.registry import Registry
from wordgate.server.services.context import ServingContext
from wordgate.server.services.generation import generated
from wordgate.server.telemetry.metrics import Metrics

METHOD = {"grpc_service": "wordgate.v1.PredictionService", "grpc_method": "StreamGenerate"}
NAN, INFINITE = float("nan"), float("inf")
LONG = StreamGenerateRequest(history="the clouds", max_words=1000, top_k=100, seed=1)

BAD_REQUESTS = {
    "too many words": (StreamGenerateRequest(max_words=1001), "max_words"),
    "cold": (StreamGenerateRequest(temperature=-1), "temperature"),
    "hot": (StreamGenerateRequest(temperature=101), "temperature"),
    "NaN temperature": (StreamGenerateRequest(temperature=NAN), "temperature"),
    "infinite temperature": (StreamGenerateRequest(temperature=INFINITE), "temperature"),
    "too many to draw from": (StreamGenerateRequest(top_k=101), "top_k"),
    "no share": (StreamGenerateRequest(top_p=0), "top_p"),
    "more than all": (StreamGenerateRequest(top_p=1.5), "top_p"),
    "NaN share": (StreamGenerateRequest(top_p=NAN), "top_p"),
    "negative share": (StreamGenerateRequest(top_p=-0.5), "top_p"),
    "long stop phrase": (StreamGenerateRequest(stop_words=["b c", "a " * 17]), "stop_words[1]"),
    "empty stop word": (StreamGenerateRequest(stop_words=[" "]), "stop_words[0]"),
    "long stop word": (StreamGenerateRequest(stop_words=["ä" * 129]), "stop_words[0]"),
    "many stop words": (StreamGenerateRequest(stop_words=["a"] * 101), "stop_words"),
    "too many expansions": (StreamGenerateRequest(max_expansions=20_001), "max_expansions"),
    "long history": (StreamGenerateRequest(history="a" * 65_537), "history"),
    "long prefix": (StreamGenerateRequest(prefix="a" * 1025), "prefix"),
    "long model": (StreamGenerateRequest(model="a" * 257), "model"),
}


@pytest.fixture
def stub(channel: grpc.Channel) -> PredictionServiceStub:
    """A stub of the shared server."""
    return PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose texts never end by themselves."""
    return write_bundle(tmp_path_factory.mktemp("endless"), endless=True)


@pytest.fixture(scope="module")
def busy(endless: Path) -> Iterator[RunningServer]:
    """A server with endless texts; tests must leave no call in progress."""
    with serving(endless) as running:
        yield running


@pytest.fixture(scope="module")
def writing(busy: RunningServer) -> Iterator[grpc.Channel]:
    """A connection to the busy server."""
    with grpc.insecure_channel(busy.address) as connected:
        yield connected


def read(stub: PredictionServiceStub, request: StreamGenerateRequest) -> list[Any]:
    """Return all answers of a stream."""
    return list(stub.StreamGenerate(request, timeout=60))


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("prefix", ["", "th", "London th"])
def test_a_text_equals_that_of_a_local_model(
    stub: PredictionServiceStub, local: LocalModel, history: str, prefix: str
) -> None:
    """Words over gRPC are bit-identical to those of a model in this process."""
    query = GenerationQuery(history, prefix, 20, 0.9, 30, 0.95, 7, (".", "sea"))
    answered = read(
        stub,
        StreamGenerateRequest(
            history=history,
            prefix=prefix,
            max_words=20,
            temperature=0.9,
            top_k=30,
            top_p=0.95,
            seed=7,
            stop_words=[".", "sea"],
        ),
    )
    assert answered == [encode_generated_word(answer) for answer in local.submit_generate(query)]
    reasons = [answer.finish_reason for answer in answered]
    assert reasons[-1] not in reasons[:-1]
    assert answered[0].prefix == prefix.rpartition(" ")[2]


def test_unset_fields_have_defaults(stub: PredictionServiceStub, local: LocalModel) -> None:
    """At most 50 words from the 40 most probable candidates, at temperature 1, with top_p 1."""
    for seed in range(4):
        query = GenerationQuery("the", "", 50, 1.0, 40, 1.0, seed)
        here = [encode_generated_word(answer) for answer in local.submit_generate(query)]
        assert read(stub, StreamGenerateRequest(history="the", seed=seed)) == here


def test_the_server_returns_a_seed_that_reproduces_the_text(writing: grpc.Channel) -> None:
    """A request without a seed gets a random one in the answer."""
    stub = PredictionServiceStub(writing)
    first, second = (read(stub, StreamGenerateRequest(history="the")) for _ in range(2))
    seeds = {answer.seed for answer in first}
    assert len(seeds) == 1
    assert second[0].seed not in seeds
    assert len(first) == 50
    assert first[-1].finish_reason == FINISH_REASON_MAX_WORDS
    assert read(stub, StreamGenerateRequest(history="the", seed=seeds.pop())) == first


def test_a_seed_of_zero_and_a_temperature_of_zero_are_values(writing: grpc.Channel) -> None:
    """0 differs from unset: seed 0 is a seed, and at temperature 0 the seed does not matter."""
    stub = PredictionServiceStub(writing)
    assert {answer.seed for answer in read(stub, StreamGenerateRequest(seed=0))} == {0}
    greedy = [
        [answer.text for answer in read(stub, StreamGenerateRequest(seed=seed, **options))]
        for seed, options in (
            (1, {"temperature": 0.0}),
            (2, {"temperature": 0.0}),
            (3, {"top_k": 1}),
        )
    ]
    assert greedy[0] == greedy[1] == greedy[2]


def test_a_stop_word_ends_the_stream(writing: grpc.Channel) -> None:
    """The last word is the stop word, in any letter case."""
    stub = PredictionServiceStub(writing)
    words = [answer.word for answer in read(stub, StreamGenerateRequest(seed=5))]
    stopped = read(stub, StreamGenerateRequest(seed=5, stop_words=[words[4].upper()]))
    first = [word.lower() for word in words].index(words[4].lower())
    assert [answer.word for answer in stopped] == words[: first + 1]
    assert stopped[-1].finish_reason == FINISH_REASON_STOP_WORD
    assert {answer.finish_reason for answer in stopped[:-1]} <= {FINISH_REASON_UNSPECIFIED}


def test_concurrent_load_changes_no_word(
    busy: RunningServer, writing: grpc.Channel, endless: Path
) -> None:
    """Many texts of different seeds, generated during scoring, equal those generated alone."""
    stub = PredictionServiceStub(writing)

    def ask(seed: int) -> list[Any]:
        return read(stub, StreamGenerateRequest(history="the sun", max_words=12, seed=seed % 8))

    alone = LocalModel.open(endless)
    beside = ScoringServiceStub(writing).Score.future(long_score())
    with ThreadPoolExecutor(16) as readers:
        together = list(readers.map(ask, range(32)))
    beside.cancel()
    for seed, answered in enumerate(together):
        query = GenerationQuery("the sun", max_words=12, seed=seed % 8)
        assert answered == [encode_generated_word(word) for word in alone.submit_generate(query)]
    alone.close()
    _wait_until_quiet(busy)


@pytest.mark.parametrize(("request_", "field"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_bad_requests_name_the_field(
    stub: PredictionServiceStub, request_: StreamGenerateRequest, field: str
) -> None:
    """Each value outside its limits is rejected with INVALID_ARGUMENT and the name of its field."""
    assert field_named(refusal(lambda: read(stub, request_))) == field


def test_unknown_models_are_not_found(stub: PredictionServiceStub) -> None:
    """An unknown model ends the stream at once."""
    error = refusal(lambda: read(stub, StreamGenerateRequest(model="nobody")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_numbers = st.sampled_from([0.0, 1e-300, 0.5, 1.0, 100.0, 1e300, -1.0, NAN, INFINITE])
_requests = st.builds(
    StreamGenerateRequest,
    history=_texts,
    prefix=_texts,
    max_words=st.integers(1, 5),
    temperature=st.none() | _numbers,
    top_k=st.integers(0, 101),
    top_p=st.none() | _numbers,
    seed=st.none() | st.integers(0, 2**64 - 1),
    stop_words=st.lists(_texts, max_size=2),
    max_expansions=st.sampled_from([0, 1, 50]),
)


@settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(_requests)
def test_random_requests_generate_text_or_name_a_field(
    stub: PredictionServiceStub, request_: StreamGenerateRequest
) -> None:
    """No request makes an internal error: it has words and a reason to end, or an invalid field."""
    call = stub.StreamGenerate(request_)
    try:
        answered: list[StreamGenerateResponse] = list(call)
    except grpc.RpcError:
        assert field_named(call)
        return
    assert 1 <= len(answered) <= request_.max_words
    assert all(math.isfinite(answer.log_prob) and answer.log_prob <= 0 for answer in answered)
    assert answered[-1].finish_reason != FINISH_REASON_UNSPECIFIED


@pytest.mark.parametrize("words", [1, 3])
def test_cancelling_at_a_word_leaves_nothing(
    busy: RunningServer, writing: grpc.Channel, words: int
) -> None:
    """A stream cancelled between two words leaves no open call and no queued row."""
    before = _cancelled(busy)
    call = PredictionServiceStub(writing).StreamGenerate(LONG)
    for _ in range(words):
        assert next(call).finish_reason == FINISH_REASON_UNSPECIFIED
    call.cancel()
    until(lambda: _cancelled(busy) == before + 1, "the stream to be over")
    _wait_until_quiet(busy)


def test_closing_the_client_s_words_cancels_the_stream(busy: RunningServer) -> None:
    """Closing the client's iterator cancels the remaining work."""
    before = _cancelled(busy)
    with Client(busy.address) as client:
        words = client.generate("the clouds", max_words=1000, top_k=100)
        assert next(words).word.finish is None
        words.close()
        until(lambda: _cancelled(busy) == before + 1, "the stream to be over")
    _wait_until_quiet(busy)


async def test_leaving_the_client_s_words_cancels_the_stream(busy: RunningServer) -> None:
    """The asyncio client cancels the remaining work, too."""
    before = _cancelled(busy)
    async with AsyncClient(busy.address) as client:
        async with aclosing(client.generate("the clouds", max_words=1000, top_k=100)) as words:
            assert (await anext(words)).word.finish is None
        await asyncio.to_thread(until, lambda: _cancelled(busy) == before + 1, "the stream to end")
    _wait_until_quiet(busy)


async def test_cancelling_a_task_that_waits_drops_the_word(busy: RunningServer) -> None:
    """A client that gives up before the first word leaves no work behind."""
    asked, dropped = _asked(busy), busy.metric("wordgate_jobs_dropped_total", reason="cancelled")
    async with AsyncClient(busy.address) as client:
        waiting = asyncio.ensure_future(anext(client.generate(LONG_TO_READ)))
        await asyncio.to_thread(until, lambda: _asked(busy) > asked, "the reading to begin")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.to_thread(
            until,
            lambda: busy.metric("wordgate_jobs_dropped_total", reason="cancelled") == dropped + 1,
            "the work to be dropped",
        )
    _wait_until_quiet(busy)


def test_flow_control_pauses_an_unread_text(busy: RunningServer) -> None:
    """While one text is read to its end, an unread text makes no progress."""
    narrow = (("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0))
    sent = busy.metric("grpc_server_msg_sent_total", **METHOD)
    with (
        grpc.insecure_channel(busy.address, options=narrow) as slow,
        grpc.insecure_channel(busy.address) as fast,
    ):
        unread = PredictionServiceStub(slow).StreamGenerate(LONG)
        assert next(unread).word
        words = read(PredictionServiceStub(fast), StreamGenerateRequest(max_words=300, top_k=100))
        assert busy.metric("grpc_server_msg_sent_total", **METHOD) < sent + len(words) + 100
        unread.cancel()
    _wait_until_quiet(busy)


def test_a_deadline_ends_a_text(busy: RunningServer, writing: grpc.Channel) -> None:
    """An expired stream ends with DEADLINE_EXCEEDED, and its work is dropped."""
    dropped = busy.metric("wordgate_jobs_dropped_total")
    stub = PredictionServiceStub(writing)
    request = StreamGenerateRequest(history=LONG_TO_READ, max_words=1000, top_k=100)
    error = refusal(lambda: list(stub.StreamGenerate(request, timeout=0.1)))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    until(
        lambda: busy.metric("wordgate_jobs_dropped_total") == dropped + 1, "the work to be dropped"
    )
    _wait_until_quiet(busy)


def test_draining_ends_a_text_after_a_word(endless: Path) -> None:
    """An open stream ends with the shutdown message; the exit code is 0."""
    with serving(endless) as server, grpc.insecure_channel(server.address) as channel:
        call = PredictionServiceStub(channel).StreamGenerate(LONG)
        assert next(call).word
        server.terminate()
        assert refusal(lambda: list(call)).code() is grpc.StatusCode.UNAVAILABLE
        assert server.wait() == 0
        assert "Traceback" not in server.output


@contextmanager
def _parts(local: LocalModel, **limits: int) -> Iterator[tuple[ServingContext, Scheduler]]:
    """Return the parts of a server without a server."""
    scheduler = Scheduler()
    engine = EngineExecutor(scheduler)
    models = Registry([local.served])
    yield ServingContext(models, engine, Limits(**limits), Metrics(), "cpu"), scheduler
    engine.close()


class _Patient:
    """A call without a deadline."""

    def time_remaining(self) -> float | None:
        return None


async def test_nothing_is_computed_ahead_of_the_reader(local: LocalModel) -> None:
    """No work is in progress between two words, and none starts while the server drains."""
    request = StreamGenerateRequest(history="the sun", prefix="s", seed=1, temperature=0)
    with _parts(local) as (parts, scheduler):
        async with aclosing(generated(parts, request, _Patient())) as words:
            assert (await anext(words)).word
            assert (scheduler.jobs, scheduler.queued_rows) == (0, 0)
            parts.draining.set()
            with pytest.raises(Unavailable):
                await anext(words)


def _cancelled(server: RunningServer) -> float:
    """Return the number of cancelled streams."""
    return server.metric("grpc_server_handled_total", grpc_code="Canceled", **METHOD)


def _asked(server: RunningServer) -> float:
    """Return the number of rows requested with normal priority."""
    return server.metric("wordgate_model_rows_total", priority="normal")


def _wait_until_quiet(server: RunningServer) -> None:
    def is_quiet() -> bool:
        page = server.metrics_page()
        begun = page.sum("grpc_server_started_total", **METHOD)
        ended = page.sum("grpc_server_handled_total", **METHOD)
        return begun == ended and page.sum("wordgate_queued_rows") == 0

    until(is_quiet, "the server to have nothing under way")
