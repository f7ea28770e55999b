"""Cached values are not requested again and change no result."""

import numpy as np
from tests.fake_model import FakeModel
from tests.remembering import Remembering
from tests.tiny_models import TOKENIZER

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import chain_hashes

LEVELS = AdaptiveSoftmaxLayout((6, TOKENIZER.size))


def _queries() -> CachedQueries:
    return CachedQueries(TOKENIZER, LEVELS, Remembering(-1))


def test_only_missing_entries_are_requested() -> None:
    """Only steps and rows that are not in the store are requested. Results keep their order."""
    model, queries = FakeModel.random(LEVELS, 5), _queries()
    start = HashedState(b"seed", -1)
    [first] = run_to_completion(queries.advance([(start, 3)]), model)
    again, other = run_to_completion(queries.advance([(start, 3), (start, 4)]), model)
    assert (again, other.state) == (first, 4)
    assert model.calls["Step"] == 2
    for _ in range(2):
        rows = run_to_completion(queries.output_rows([(other, 1), (first, 1), (other, 0)]), model)
        assert [row.tolist() for row in rows] == [
            model.output_rows([(context.state, level)])[0].tolist()
            for context, level in ((other, 1), (first, 1), (other, 0))
        ]
    assert run_to_completion(queries.output_rows([]), model) == []


def test_keys_are_those_of_the_tokens_read() -> None:
    """Read one by one or together, tokens have the hash chain of a history."""
    start = HashedState(b"seed", -1)
    keys = chain_hashes(b"seed", [3, 4])
    assert [start.key_after([3]), start.key_after([3, 4])] == keys
    assert start.key_after([]) == b"seed"
    [first] = run_to_completion(_queries().advance([(start, 3)]), FakeModel.random(LEVELS, 5))
    assert first.key_after([4]) == keys[1]


def test_a_row_that_is_missing_stands_in_its_place() -> None:
    """A stored row between two new ones keeps its position."""
    model, queries = FakeModel.random(LEVELS, 5), _queries()
    contexts = [HashedState(bytes([state]), state) for state in (1, 2, 3)]
    run_to_completion(queries.output_rows([(contexts[1], 0)]), model)
    rows = run_to_completion(queries.output_rows([(context, 0) for context in contexts]), model)
    for context, row in zip(contexts, rows, strict=True):
        assert np.array_equal(row, model.output_rows([(context.state, 0)])[0])
