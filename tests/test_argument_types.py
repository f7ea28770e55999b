"""Arguments of the wrong type raise `TypeError` in all APIs."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.running import RunningServer

from wordgate.client import AsyncClient, Client
from wordgate.decoding.generation import GenerationQuery
from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.engine.local_model import LocalModel
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.lattice import Alternative, Arc, ConfusionNetwork, Lattice
from wordgate.scoring.score_weights import ScoreWeights

WRONG: Any = "ab"
"""A str where a list is expected."""

SCORES: tuple[tuple[Any, Any, str], ...] = (
    ("", "ab", "candidates: is of type str; pass a list of str, even for a single entry"),
    ("", b"ab", "candidates: is of type bytes"),
    ("", {"ab": 1}, "candidates: is of type dict"),
    ("", iter(["ab"]), "candidates: is of type list_iterator"),
    ("", None, "candidates: is None"),
    ("", ["ab", None], r"candidates\[1\]"),
    ("", [b"ab"], r"candidates\[0\]"),
    (None, ["ab"], "history: is None; pass a str"),
    (["the"], ["ab"], "history: is of type list"),
)
HYPOTHESES: tuple[tuple[Any, str], ...] = (
    (WRONG, "hypotheses: is of type str; pass a list of Hypothesis"),
    ([WRONG], r"hypotheses\[0\]: is of type str; pass Hypothesis"),
    (Hypothesis("ab"), "hypotheses: is of type Hypothesis"),
    (Lattice(WRONG, 0, 1), "lattice.arcs"),
    (Lattice([Arc(0, 1, "ab")], 0, 1, null_labels=WRONG), "lattice.null_labels"),
    (ConfusionNetwork([WRONG]), r"confusion_network.slots\[0\]"),
    (ConfusionNetwork([[WRONG]]), r"confusion_network.slots\[0\]\[0\]"),
)


@pytest.fixture
async def clients(server: RunningServer) -> AsyncIterator[tuple[Client, AsyncClient]]:
    """Both clients."""
    with Client(server.address) as client:
        async with AsyncClient(server.address) as asynchronous:
            yield client, asynchronous


@pytest.mark.parametrize(("history", "candidates", "problem"), SCORES)
async def test_scores_are_of_lists(
    clients: tuple[Client, AsyncClient],
    local: LocalModel,
    history: Any,
    candidates: Any,
    problem: str,
) -> None:
    """A str passed as candidates is rejected, not scored letter by letter."""
    client, asynchronous = clients
    with pytest.raises(TypeError, match=problem):
        client.score(history, candidates)
    with pytest.raises(TypeError, match=problem):
        await asynchronous.score(history, candidates)
    with pytest.raises(TypeError, match=problem):
        local.submit_score(history, candidates)


@pytest.mark.parametrize(("hypotheses", "problem"), HYPOTHESES)
async def test_rankings_are_of_hypotheses(
    clients: tuple[Client, AsyncClient], local: LocalModel, hypotheses: Any, problem: str
) -> None:
    """Rescore accepts only a list of hypotheses, a lattice or a confusion network."""
    client, asynchronous = clients
    with pytest.raises(TypeError, match=problem):
        client.rescore("", hypotheses)
    with pytest.raises(TypeError, match=problem):
        await asynchronous.rescore("", hypotheses)
    with pytest.raises(TypeError, match=problem):
        local.submit_rescore("", hypotheses, ScoreWeights())


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Options(blocked_words=WRONG), "blocked_words: is of type str"),
        (lambda: Options(boosted_words=WRONG), "boosted_words: is of type str"),
        (lambda: Options(boosted_words=[WRONG]), r"boosted_words\[0\]: is of type str"),
        (lambda: GenerationQuery("", stop_words=WRONG), "stop_words: is of type str"),
        (lambda: GenerationQuery("", stop_words=[1]), r"stop_words\[0\]"),  # type: ignore[list-item]
        (lambda: ScoreWeights(boosts=WRONG), "boosts: is of type str"),
        (lambda: ScoreWeights(boosts=[WRONG]), r"boosts\[0\]"),
    ],
)
def test_lists_of_options_are_lists(make: Callable[[], object], problem: str) -> None:
    """Options that are lists of words or phrases reject a str."""
    with pytest.raises(TypeError, match=problem):
        make()


async def test_texts_are_strs(clients: tuple[Client, AsyncClient], local: LocalModel) -> None:
    """Predictions, generations and typing sessions reject a text that is not a str."""
    client, asynchronous = clients
    none: Any = None
    for ask in (
        lambda: client.predict(none),
        lambda: client.predict("", none),
        lambda: client.generate(none),
        lambda: asynchronous.generate(none),
        lambda: local.submit_predict(Query(none)),
        lambda: local.submit_predict(Query("", none)),
        lambda: local.submit_generate(GenerationQuery(none)),
    ):
        with pytest.raises(TypeError, match=r"(history|prefix): is None; pass a str"):
            ask()
    async with asynchronous.typing_session() as session:
        with pytest.raises(TypeError, match=r"text\.text: is None"):
            await session.suggest(none)
        assert (await session.suggest("the clouds are in the s")).sequence == 1


def test_hypotheses_and_alternatives_are_accepted(local: LocalModel) -> None:
    """Arguments of the right type are rescored."""
    for right in ([Hypothesis("ab")], ConfusionNetwork([[Alternative("ab")]])):
        assert local.submit_rescore("", right, ScoreWeights()).result().ranking.transcripts
