"""Continuous cache: boost words of the text that occurred in similar contexts.

Grave, Joulin and Usunier 2016, "Improving neural language models with a continuous cache", arXiv
1612.04426.
"""

from collections.abc import Sequence

import numpy as np

from wordgate.lm.cached_queries import HashedState
from wordgate.lm.requests import HiddenVectors, ModelTask


def shares(
    read: Sequence[HashedState], words: Sequence[str], weight: float, sharpness: float
) -> ModelTask[dict[str, float]]:
    """Return the cache probability of each word of a text. The probabilities add up to `weight`.

    `read[i]` is the context before `words[i]`; the last entry of `read` is the current context. A
    word's probability is proportional to the sum of exp(sharpness * h.h_i) over its occurrences,
    where h has the top layer's hidden values now and h_i those before the occurrence.
    """
    if not words:
        return {}
    vectors = yield HiddenVectors([context.state for context in read])
    *before, now = (vector.astype(np.float64) for vector in vectors)
    alike = sharpness * (np.stack(before) * now).sum(1)
    votes = np.exp(alike - alike.max())
    votes *= weight / votes.sum()
    found: dict[str, float] = {}
    for word, vote in zip(words, votes.tolist(), strict=True):
        found[word] = found.get(word, 0.0) + vote
    return found
