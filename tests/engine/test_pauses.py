"""Every valid request yields often, which bounds the delay that it causes to others."""

import sys
from collections.abc import Callable, Iterator
from inspect import GEN_CLOSED, getgeneratorstate
from pathlib import Path
from random import Random
from typing import Any

import pytest

from wordgate.decoding.generation import GenerationQuery
from wordgate.decoding.options import BoostedWord, ContinuousCache, Options
from wordgate.decoding.prediction import Query, splitting_typed
from wordgate.engine.job import Job, Priority
from wordgate.engine.loaded_model import ServedModel, open_model
from wordgate.engine.scheduler import Scheduler
from wordgate.errors import Cancelled, InvalidInput
from wordgate.lm.requests import ModelTask, TimeSlice, run_request
from wordgate.scoring.explanation import ExplanationQuery
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.lattice import Alternative, Arc, ConfusionNetwork, Lattice
from wordgate.scoring.score_weights import Boost, ScoreWeights
from wordgate.server.services.explanation import explanation_task
from wordgate.text.cooperative_steps import finish

MAX_CALLS = 25_000
"""Limit on function calls between two yields, about 10 ms.

This is ten times the target, so that the test tolerates small changes of the code.
"""

MAX_YIELDS = 400
"""Yields checked per request."""


@pytest.fixture(scope="module")
def model(bundle: Path) -> ServedModel:
    """A small model with fast inferences."""
    return open_model(bundle)


def _astral(random: Random, count: int) -> str:
    return "".join(chr(random.randint(0x1F300, 0x1FAFF)) for _ in range(count))


def _words(random: Random, count: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join("".join(random.choices(letters, k=random.randint(3, 9))) for _ in range(count))


def _scores(model: ServedModel) -> Iterator[ModelTask[Any]]:
    random = Random(1)
    yield model.score("", [_astral(random, 230) for _ in range(100)])
    yield model.score("", ["".join(map(chr, range(n, n + 300))) for n in range(0x4E00, 0x4E60)])
    yield model.score("", [_words(random, 150) for _ in range(100)])
    yield model.score("", [". " * 500] * 200)
    yield model.score(_words(random, 10_000), ["a"])
    yield model.score("a" * 65_536, ["a"])
    yield model.score("a" + "\u0301\u0323" * 16_000, ["a"])
    yield model.score("", ["a" + "\u00ad" * 32_000])


def _rankings(model: ServedModel) -> Iterator[ModelTask[Any]]:
    random = Random(2)
    texts = [Hypothesis(" ".join(random.choices("ab", k=400))) for _ in range(100)]
    boosts = [Boost(" ".join(random.choices("ab", k=1 + n % 120)), 0.1) for n in range(1000)]
    yield model.rescore("", texts, ScoreWeights(boosts=boosts, posterior_scale=1e9))
    yield model.rescore("", [Hypothesis("a" + " " * 65_000 + "b")], ScoreWeights())
    yield model.rescore("", [Hypothesis("a", {"s": 1.0})] * 1000, ScoreWeights())
    empties = [[Alternative("")] for _ in range(8000)]
    yield model.rescore("", ConfusionNetwork(empties), ScoreWeights())
    mixed = [[Alternative(""), Alternative(random.choice("abc"))] for _ in range(2000)]
    yield model.rescore("", ConfusionNetwork(mixed, sum_paths=True), ScoreWeights())
    silent = [Arc(n, m, "") for n in range(150) for m in range(n + 1, 150)]
    yield model.rescore("", Lattice(silent, 0, 149), ScoreWeights())
    chain = [Arc(n, n + 1, "a") for n in range(2000)]
    patterns = [f"{n}*z" for n in range(1000)]
    yield model.rescore("", Lattice(chain, 0, 2000, null_labels=patterns), ScoreWeights())


def _predictions(model: ServedModel) -> Iterator[ModelTask[Any]]:
    random = Random(3)
    own = [BoostedWord("".join(random.choices("āăąćĉċ", k=80)), 9.0) for _ in range(1000)]
    most = {"max_suggestions": 100, "max_expansions": 5_000}
    wanted = [
        Query("", "a" * 127, Options(**most, hide_rejected=True)),  # type: ignore[arg-type]
        Query("", "", Options(**most, boosted_words=own)),  # type: ignore[arg-type]
        Query("", "qwertyuiopasdfghjklzxcvbnm", Options(**most, max_corrections=100)),  # type: ignore[arg-type]
        Query("", "qwertyuiopasdfghjklzxcvbnm", correct_last_word=True),
        Query("." * 65_000, "", correct_last_word=True),
        Query(_words(random, 5000), "a", Options(continuous_cache=ContinuousCache())),
        Query(_astral(random, 16_000)),
    ]
    for query in wanted:
        yield model.predict(query)
    yield from (TimeSlice().run(splitting_typed(text)) for text in ("é" * 32_000, "a" * 65_536))
    yield model.read_ahead(_words(random, 9000))


def _generations(model: ServedModel) -> Iterator[ModelTask[Any]]:
    stops = ["a\u0301" * 80] * 1000
    yield model.begin_text(GenerationQuery("", stop_words=stops))


def _explanations(model: ServedModel) -> Iterator[ModelTask[Any]]:
    random = Random(4)
    wanted = [
        ExplanationQuery(_words(random, 60), top_k=100, return_units=True),
        ExplanationQuery("\U0001e922" * 128, top_k=100),
        ExplanationQuery(" " * 16_000 + "a b", "a" + " " * 16_000),
        ExplanationQuery("a" + "\u0301\u0323" * 4000),
    ]
    for query in wanted:
        yield explanation_task(model, query)


@pytest.mark.parametrize(
    "requests", [_scores, _rankings, _predictions, _generations, _explanations]
)
def test_work_between_two_yields_is_bounded(
    model: ServedModel, requests: Callable[[ServedModel], Iterator[ModelTask[Any]]]
) -> None:
    """The limit holds during tokenization, before the first request and after the last."""
    for number, asks in enumerate(requests(model)):
        assert _most_calls(asks, model) < MAX_CALLS, f"request {number}"


def _most_calls(asks: ModelTask[Any], model: ServedModel) -> int:
    """Return the maximum number of function calls of a generator between two yields."""
    most = calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    answer: list[Any] | None = None
    for _ in range(MAX_YIELDS):
        calls = 0
        sys.setprofile(count)
        try:
            ask = asks.send(answer)
        except (StopIteration, InvalidInput):
            break
        finally:
            sys.setprofile(None)
            most = max(most, calls)
        answer = run_request(ask, model.network)
    asks.close()
    return max(most, calls)


def test_a_job_can_be_cancelled_during_tokenization(model: ServedModel) -> None:
    """Cancellation ends a job at its next yield, before it requests any row."""
    random = Random(4)
    ends: list[object] = []
    scheduler = Scheduler()
    candidates = [_astral(random, 230) for _ in range(100)]
    cancelled = False
    asks = model.score("", candidates)
    job = Job(
        model.network,
        asks,
        lambda result, error: ends.append(error),
        Priority.NORMAL,
        cancelled=lambda: cancelled,
    )
    scheduler.submit(job)
    scheduler.step()
    cancelled = True
    scheduler.step()
    assert isinstance(ends[0], Cancelled)
    assert getgeneratorstate(asks) == GEN_CLOSED
    assert (scheduler.jobs, scheduler.queued_rows) == (0, 0)


def test_a_typed_text_is_split_in_steps() -> None:
    """Splitting a word of 64 KB yields many times."""
    text = "a" * 65_536
    assert len(list(splitting_typed(text))) > 10
    history, begun = finish(splitting_typed(text + "b"))
    assert (len(history), begun) == (65_536, "b")
