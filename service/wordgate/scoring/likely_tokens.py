"""The likeliest tokens after a context, over all output levels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.requests import MAX_ROWS, YIELD, ModelTask, Row
from wordgate.text.cooperative_steps import batches


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A token as text (`Tokenizer.text_of`), whether it ends its word, and its log-probability."""

    text: str
    ends_word: bool
    log_prob: float


def likeliest_tokens(
    queries: CachedQueries, contexts: Sequence[HashedState], count: int
) -> ModelTask[list[tuple[ScoredToken, ...]]]:
    """Return the `count` likeliest tokens after each context, likeliest first, lower ids first.

    Exact: a cluster of rare tokens is evaluated unless its probability is below that of the
    `count`-th token of the head.
    """
    found: list[tuple[ScoredToken, ...]] = []
    for part in batches(contexts, MAX_ROWS):
        heads = yield from queries.output_rows([(context, 0) for context in part])
        wanted = [
            (index, level)
            for index, head in enumerate(heads)
            for level in _likely_clusters(queries.layout, head, count)
        ]
        rows = yield from queries.output_rows([(part[index], level) for index, level in wanted])
        clusters: list[dict[int, Row]] = [{} for _ in part]
        for (index, level), row in zip(wanted, rows, strict=True):
            clusters[index][level] = row
        for head, of_head in zip(heads, clusters, strict=True):
            found.append(_best(queries, head, of_head, count))
            if queries.time_slice.is_over():
                yield YIELD
    return found


def _likely_clusters(layout: AdaptiveSoftmaxLayout, head: Row, count: int) -> list[int]:
    """Return the levels that may have one of the `count` likeliest tokens."""
    least = -np.inf
    if count <= layout.head:
        least = np.partition(head[: layout.head], layout.head - count)[layout.head - count]
    return [int(level) + 1 for level in np.nonzero(head[layout.head :] >= least)[0]]


def _best(
    queries: CachedQueries, head: Row, clusters: dict[int, Row], count: int
) -> tuple[ScoredToken, ...]:
    layout, tokenizer = queries.layout, queries.tokenizer
    tokens: list[NDArray[np.int64]] = [np.arange(layout.head)]
    values = [head[: layout.head].astype(np.float64)]
    for level, row in clusters.items():
        tokens.append(np.arange(layout.firsts[level], layout.cutoffs[level]))
        values.append(float(head[layout.head + level - 1]) + row.astype(np.float64))
    all_tokens, all_values = np.concatenate(tokens), np.concatenate(values)
    best = _largest(all_values, count)
    return tuple(
        ScoredToken(tokenizer.text_of(token), bool(tokenizer.ends_word[token]), log_prob)
        for token, log_prob in zip(
            all_tokens[best].tolist(), all_values[best].tolist(), strict=True
        )
    )


def _largest(values: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return the indices of the `count` largest values, largest first, ties in order."""
    if count < len(values):
        least = np.partition(values, len(values) - count)[len(values) - count]
        [candidates] = np.nonzero(values >= least)
    else:
        candidates = np.arange(len(values))
    order: NDArray[np.int64] = candidates[np.argsort(-values[candidates], kind="stable")][:count]
    return order
