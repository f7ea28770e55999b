"""The effect of one client's valid requests on other clients."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import grpc
import pytest
from tests.running import RunningServer, serving, until

from wordgate.api.v1.scoring_pb2 import Candidate, ScoreRequest
from wordgate.api.v1.scoring_pb2_grpc import ScoringServiceStub
from wordgate.client import Client
from wordgate.errors import DeadlineExceeded, Overloaded

_SECONDS = 4.0


@pytest.fixture
def quiet(bundle: Path) -> Iterator[RunningServer]:
    """A server of its own: warm caches would make an attack cheap."""
    with serving(bundle) as server:
        yield server


@contextmanager
def _repeated(ask: Callable[[], object]) -> Iterator[list[int]]:
    """Call a function repeatedly in a thread; yield the number of calls once it has ended."""
    ended = threading.Event()
    counts: list[int] = []

    def ask_on() -> None:
        count = 0
        while not ended.is_set():
            ask()
            count += 1
        counts.append(count)

    thread = threading.Thread(target=ask_on)
    thread.start()
    try:
        yield counts
    finally:
        ended.set()
        thread.join()


def test_expensive_tokenization_does_not_delay_predictions(quiet: RunningServer) -> None:
    """Requests of 1,000 candidates with 230 symbols are each cancelled after 0.5 s.

    Other clients are answered meanwhile, and afterwards no work is left.
    """
    random = Random(1)

    def candidate() -> Candidate:
        return Candidate(text="".join(chr(random.randint(0x20000, 0x2A6DF)) for _ in range(230)))

    requests = [ScoreRequest(candidates=[candidate() for _ in range(1000)]) for _ in range(2)]
    with Client(quiet.address) as client, grpc.insecure_channel(quiet.address) as channel:
        stub = ScoringServiceStub(channel)

        def attack() -> None:
            with pytest.raises(grpc.RpcError) as refused:
                stub.Score(random.choice(requests), timeout=0.5)
            assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

        answered, longest = 0, 0.0
        with _repeated(attack) as attacks:
            until_then = monotonic() + _SECONDS
            while monotonic() < until_then:
                began = monotonic()
                client.predict("the sun is in the", "s")
                longest = max(longest, monotonic() - began)
                answered += 1
        assert attacks[0] >= 2
        assert answered > 40, f"{answered} were answered, the slowest in {longest:.2f} s"
        until(lambda: quiet.metric("wordgate_queued_rows") == 0, "nothing left to do")
        assert client.predict("the", "s").suggestions


def test_few_candidates_are_scored_beside_the_largest_requests(quiet: RunningServer) -> None:
    """Two clients with 1,000 long candidates each do not block a client with five."""
    texts = [f"{number} the sun is in the sea and the cat sat" * 6 for number in range(1000)]
    with (
        Client(quiet.address, timeout_seconds=5.0) as large,
        Client(quiet.address) as small,
    ):

        def score_large() -> None:
            futures: list[Future[Any]] = [
                large.submit_score("", texts),
                large.submit_score("", texts),
            ]
            for future in futures:
                assert isinstance(future.exception(), DeadlineExceeded | Overloaded | None)

        refused = answered = 0
        with _repeated(score_large):
            until_then = monotonic() + _SECONDS
            while monotonic() < until_then:
                try:
                    small.score("", texts[:5])
                    answered += 1
                except Overloaded:
                    refused += 1
        assert answered > 10
        assert refused <= answered // 10
