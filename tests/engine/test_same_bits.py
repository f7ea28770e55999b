"""Bit-identical results under any load.

The network has the size of the bundled model, with random weights.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bundles import random_weights

from wordgate.bundle.manifest import NetworkSizes
from wordgate.decoding.next_words import likeliest_words
from wordgate.decoding.search import SearchParams, SearchResult
from wordgate.engine.executor import EngineExecutor
from wordgate.engine.job import Priority
from wordgate.engine.onnx_model import NetworkModel, Runtime
from wordgate.engine.scheduler import Scheduler
from wordgate.engine.state_cache import StateCache
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import CachedQueries
from wordgate.lm.context_window import read_words, read_words_context
from wordgate.lm.requests import (
    ModelTask,
    State,
    run_to_completion,
)
from wordgate.lm.state_store import NullStateStore
from wordgate.lm.tokenizer import BYTE_CHARACTERS, END_OF_WORD, Tokenizer
from wordgate.scoring.scoring import score
from wordgate.training.export.onnx_graphs import build

CUTOFFS = (2000, 6000, 16_000)
SIZES = NetworkSizes(vocabulary=16_000, layers=2, width=512, cutoffs=CUTOFFS)
BATCHES = (1, 2, 3, 5, 7, 8, 15, 16, 31, 33, 64)
TEXT = (17, 1999, 2000, 5, 6000, 15_999, 301, 4500, 1, 12_345)
HISTORY = [[17, 1999], [5], [6000, 301, 12], [15_999], [44], [4500, 2], [7], [7], [900], [3], [1]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Graphs of a network with two layers of 512 and 16,000 tokens."""
    place = tmp_path_factory.mktemp("real-sized")
    for name, content in build(
        random_weights(AdaptiveSoftmaxLayout(CUTOFFS), 2, 512, seed=1), "int8"
    ).items():
        (place / name).write_bytes(content)
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> NetworkModel:
    """The network with one thread, the default."""
    return NetworkModel(folder, SIZES, "int8")


@pytest.fixture(scope="module")
def two_threads(folder: Path) -> NetworkModel:
    """The same network with two threads per inference."""
    return NetworkModel(folder, SIZES, "int8", Runtime(threads=2))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """A tokenizer of 16,000 tokens: letter pairs, three-letter words, then bytes."""
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    pairs = list(itertools.product(letters, letters))
    triples = [(a + b, c + END_OF_WORD) for (a, b), c in itertools.product(pairs, letters)]
    merges = [*pairs, *triples][: 16_000 - 513]
    names = [c + end for end in ("", END_OF_WORD) for c in BYTE_CHARACTERS]
    return Tokenizer.from_merges([*(a + b for a, b in merges), *names], merges)


@pytest.fixture(scope="module")
def strangers(model: NetworkModel) -> list[State]:
    """64 states after other texts."""
    generator = np.random.default_rng(3)
    states = [model.start] * 64
    for _ in range(3):
        read = generator.integers(0, 16_000, 64).tolist()
        states = model.step(list(zip(states, read, strict=True)))
    return states


def _bits(state: State) -> tuple[bytes, bytes]:
    return state.hidden.tobytes(), state.cells.tobytes()


def _among(item: Any, others: Sequence[Any], index: int, size: int) -> list[Any]:
    return [*others[:index], item, *others[index : size - 1]]


@pytest.mark.parametrize("threads", [1, 2])
def test_results_do_not_depend_on_batch_position_or_threads(
    model: NetworkModel, two_threads: NetworkModel, strangers: list[State], threads: int
) -> None:
    """States, rows and log-probabilities are the same alone and anywhere in any batch."""
    state = strangers[40]
    others = strangers[:40] + strangers[41:] + strangers[:1]
    answers = [
        model.step([(state, 77)])[0],
        *(model.output_rows([(state, level)])[0] for level in range(3)),
        *(model.token_log_probs([(state, token)])[0] for token in TEXT),
    ]
    asked = model if threads == 1 else two_threads
    for size in BATCHES:
        for place in sorted({0, size // 2, size - 1}):
            batch = _among(state, others, place, size)
            steps = [(other, 77 + abs(n - place)) for n, other in enumerate(batch)]
            after = asked.step(steps)[place]
            assert _bits(after) == _bits(answers[0])
            for level in range(3):
                row = asked.output_rows([(other, level) for other in batch])[place]
                assert row.tobytes() == answers[1 + level].tobytes()
            questions = [(other, token) for other in batch for token in TEXT]
            found = asked.token_log_probs(questions)
            assert found[place * len(TEXT) : (place + 1) * len(TEXT)] == answers[4:]


def test_results_do_not_depend_on_a_cached_prefix(model: NetworkModel) -> None:
    """The state after a history is the same without cache, from a cached prefix, and again."""
    expected = _bits(run_to_completion(read_words(HISTORY, NullStateStore(model.start)), model))
    for already in range(len(HISTORY) + 1):
        cache = StateCache(model.start, b"seed")
        run_to_completion(read_words(HISTORY[:already], cache), model)
        assert _bits(run_to_completion(read_words(HISTORY, cache), model)) == expected
        assert _bits(run_to_completion(read_words(HISTORY, cache), model)) == expected


def test_candidates_are_scored_as_if_alone(model: NetworkModel) -> None:
    """Scores over a prefix tree are bit-identical to the chain rule."""
    generator = np.random.default_rng(9)
    candidates = [generator.integers(0, 16_000, n % 7).tolist() for n in range(30)]
    candidates += [[*TEXT[:n]] for n in range(len(TEXT))]
    together = run_to_completion(score(candidates, model.start), model)
    for candidate, found in zip(candidates, together, strict=True):
        state, total = model.start, 0.0
        for token in candidate:
            total += model.token_log_probs([(state, token)])[0]
            state = model.step([(state, token)])[0]
        assert found == total


def test_results_do_not_depend_on_other_jobs(
    model: NetworkModel, two_threads: NetworkModel, tokenizer: Tokenizer
) -> None:
    """Searches and scores are bit-identical alone and batched with jobs of other priorities."""
    assert tokenizer.size == 16_000
    levels = AdaptiveSoftmaxLayout(CUTOFFS)

    def searched(cache: StateCache | NullStateStore, prefix: bytes) -> ModelTask[SearchResult]:
        start = yield from read_words_context(HISTORY, cache)
        params = SearchParams(5, prefix, max_expansions=100)
        return (yield from likeliest_words(CachedQueries(tokenizer, levels, cache), start, params))

    def scored(cache: StateCache | NullStateStore, beginning: int) -> ModelTask[list[float]]:
        start = yield from read_words(HISTORY[beginning:], cache)
        return (yield from score([[*TEXT], [*TEXT[:3], 9], [beginning]], start))

    alone = NullStateStore(model.start)
    expected = [run_to_completion(searched(alone, prefix), model) for prefix in (b"", b"th")]
    expected_scores = [run_to_completion(scored(alone, beginning), model) for beginning in range(4)]
    assert expected[0].words
    for asked in (model, two_threads):
        engine = EngineExecutor(Scheduler())
        cache = StateCache(asked.start, b"seed")
        scores = [
            engine.submit(asked, scored(cache, n), list(Priority)[n % 2]) for n in [*range(4)] * 4
        ]
        searches = [engine.submit(asked, searched(cache, prefix)) for prefix in (b"", b"th")]
        assert [future.result(60) for future in searches] == expected
        assert [future.result(60) for future in scores] == expected_scores * 4
        engine.close()
