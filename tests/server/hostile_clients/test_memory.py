"""The memory cost of requests at a real server, with all their outcomes."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest
from tests.running import RunningServer, serving, until

from wordgate.api.v1.rescoring_pb2 import (
    NBest,
    NBestCandidate,
    RescoreConfiguration,
    StreamRescoreRequest,
    StreamRescoreResponse,
    Utterance,
)
from wordgate.api.v1.scoring_pb2 import Candidate, ScoreRequest

_SCORE = "/wordgate.v1.ScoringService/Score"
_STREAM_RESCORE = "/wordgate.v1.ScoringService/StreamRescore"
_RESIDENT = "process_resident_memory_bytes"
_MEGABYTE = 1_000_000
_WARM_UP_CALLS = 50
_CALLS = 300
_COSTLY_CALLS = 100
_MAX_GROWTH_BYTES = 20 * _MEGABYTE
"""By calls of a megabyte after the warm-up. Retaining 1/15 of each of 300 calls would exceed it, or
1/5 of each of 100 calls that take 0.1 s. Without a leak, it varies by 5 MB."""

_KEPT_BYTES = 60 * _MEGABYTE
"""Heap that two answered requests of a megabyte may keep. Metric values as floats: 68 to 79 MB."""

_STREAM_GROWTH_BYTES = 900 * _MEGABYTE
"""2 utterances of a megabyte take up to 250 MB each; 24 of them were once accepted."""


def _candidates(count: int, text: str, model: str = "") -> bytes:
    return ScoreRequest(model=model, candidates=[Candidate(text=text)] * count).SerializeToString()


def _field(number: int, body: bytes) -> bytes:
    """Return a length-delimited field with a length of three bytes."""
    size = len(body)
    length = bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14])
    return bytes([number << 3 | 2]) + length + body


REFUSED: dict[str, tuple[bytes, grpc.StatusCode]] = {
    "half a million empty candidates": (
        b"\x1a\x00" * 500_000,
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "a length of zero in two bytes": (
        b"\x1a\x80\x00" * 340_000,
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "one candidate too many": (
        _candidates(1001, "the sea " * 120),
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "candidates of too many tokens": (
        _candidates(16, "q z " * 16_000),
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "bytes that are not a message": (
        b"\xff" * _MEGABYTE,
        grpc.StatusCode.INVALID_ARGUMENT,
    ),
    "a model that is not served": (
        _candidates(1000, "the sea " * 120, model="none"),
        grpc.StatusCode.NOT_FOUND,
    ),
}


COSTLY = {"candidates of too many tokens"}


@pytest.fixture(scope="module")
def asked(bundle: Path) -> Iterator[RunningServer]:
    """A server for the calls of this file."""
    with serving(bundle) as server:
        yield server


@pytest.mark.parametrize("name", REFUSED)
def test_rejected_requests_free_their_memory(asked: RunningServer, name: str) -> None:
    """A rejected megabyte is freed; once, 300 of them exhausted the memory."""
    body, expected = REFUSED[name]
    with grpc.insecure_channel(asked.address) as channel:
        score: Any = channel.unary_unary(_SCORE)

        def ask(calls: int) -> None:
            for _ in range(calls):
                with pytest.raises(grpc.RpcError) as caught:
                    score(body, timeout=60)
                assert caught.value.code() is expected

        assert _growth(asked, ask, _COSTLY_CALLS if name in COSTLY else _CALLS) < _MAX_GROWTH_BYTES


@pytest.mark.parametrize("outcome", ["cancelled", "late"])
def test_abandoned_requests_free_their_memory(asked: RunningServer, outcome: str) -> None:
    """Cancelled and expired requests are dropped with their texts."""
    body = _candidates(1000, "the sea " * 120)
    with grpc.insecure_channel(asked.address) as channel:
        score: Any = channel.unary_unary(_SCORE)

        def ask(calls: int) -> None:
            for _ in range(calls):
                call = score.future(body, timeout=0.02 if outcome == "late" else 60)
                if outcome == "cancelled":
                    call.cancel()
                assert call.code() is not grpc.StatusCode.OK
            until(lambda: asked.metric("wordgate_queued_rows") == 0, "the work to be dropped")

        assert _growth(asked, ask, _CALLS) < _MAX_GROWTH_BYTES


@pytest.mark.long
def test_answered_and_rejected_requests_free_their_memory(bundle: Path) -> None:
    """Neither two answered megabytes nor those rejected beside them keep the heap they used.

    About 40 histogram buckets once kept a megabyte each.
    """
    noise = Random(1)
    words = ["the", "sun", "is", "in", "sea", "and", "cat", "sat", "clouds", "are"]
    texts = [" ".join(noise.choices(words, k=240)) for _ in range(1000)]
    body = ScoreRequest(candidates=[Candidate(text=text) for text in texts]).SerializeToString()
    options = ("--max-queue-delay-seconds", "0", "--engine-threads", "2")
    with serving(bundle, *options) as server, grpc.insecure_channel(server.address) as channel:
        score: Any = channel.unary_unary(_SCORE)
        before = server.metric(_RESIDENT)
        accepted = [score.future(body, timeout=600) for _ in range(2)]
        until(lambda: server.metric("wordgate_queued_rows"), "the work to begin")
        rejected = [score.future(body, timeout=60).code() for _ in range(100)]
        assert rejected == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 100
        assert [call.code() for call in accepted] == [grpc.StatusCode.OK] * 2
        until(lambda: server.metric(_RESIDENT) - before < _KEPT_BYTES, "the memory to be freed")


@pytest.mark.long
def test_invalid_utterances_free_their_memory(asked: RunningServer) -> None:
    """The errors of a stream's utterances do not keep the utterances."""
    wrong = Utterance(n_best=NBest(candidates=[NBestCandidate(text="q z " * 16_000)] * 16))
    with grpc.insecure_channel(asked.address) as channel:

        def ask(calls: int) -> None:
            errors = [answer.WhichOneof("result") for answer in _streamed(channel, wrong, calls)]
            assert errors == ["error"] * calls

        assert _growth(asked, ask, _COSTLY_CALLS) < _MAX_GROWTH_BYTES


@pytest.mark.long
def test_utterances_in_progress_are_bounded_by_their_bytes(bundle: Path) -> None:
    """Streams that send a megabyte at a time wait for each other, and all are answered."""
    noise = Random(1)
    words = ["the", "sun", "is", "in", "sea", "and", "cat", "sat", "clouds", "are"]
    texts = [" ".join(noise.choices(words, k=240)) for _ in range(1000)]
    large = Utterance(n_best=NBest(candidates=[NBestCandidate(text=text) for text in texts]))
    with serving(bundle) as server, grpc.insecure_channel(server.address) as channel:
        before = server.metric(_RESIDENT)
        answered: list[int] = []

        def ask() -> None:
            answered.append(len(list(_streamed(channel, large, 1))))

        streams = [threading.Thread(target=ask) for _ in range(4)]
        most = _highest(streams, lambda: server.metric(_RESIDENT))
        assert answered == [1] * 4
        assert most - before < _STREAM_GROWTH_BYTES


def _growth(server: RunningServer, ask: Callable[[int], None], calls: int) -> float:
    """Return by how many bytes the server grows during this many calls, after a warm-up."""
    ask(_WARM_UP_CALLS)
    before = server.metric(_RESIDENT)
    ask(calls)
    return server.metric(_RESIDENT) - before


def _streamed(
    channel: grpc.Channel, utterance: Utterance, count: int
) -> Iterator[StreamRescoreResponse]:
    """Yield the answers to an utterance that is sent `count` times."""
    configuration = StreamRescoreRequest(configuration=RescoreConfiguration())
    repeated = StreamRescoreRequest(utterance=utterance).SerializeToString()

    def messages() -> Iterator[bytes]:
        yield configuration.SerializeToString()
        for _ in range(count):
            yield repeated

    method: Any = channel.stream_stream(
        _STREAM_RESCORE, response_deserializer=StreamRescoreResponse.FromString
    )
    yield from method(messages(), timeout=300)


def _highest(threads: list[threading.Thread], measure: Callable[[], float]) -> float:
    """Return the maximum of a measure while threads run."""
    for thread in threads:
        thread.start()
    most = measure()
    while any(thread.is_alive() for thread in threads):
        threads[0].join(0.1)
        most = max(most, measure())
    return most
