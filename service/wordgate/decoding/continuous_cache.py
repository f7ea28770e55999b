"""A cache of the text itself: words vote for themselves by how alike it was where they stood.

Knows contexts, vectors and words; does not know how they are suggested. Continuous cache: Grave,
Joulin and Usunier 2016, "Improving neural language models with a continuous cache",
arXiv 1612.04426.
"""

from collections.abc import Sequence

import numpy as np

from wordgate.lm.cached_queries import HashedState
from wordgate.lm.requests import HiddenVectors, ModelTask


def shares(
    read: Sequence[HashedState], words: Sequence[str], weight: float, sharpness: float
) -> ModelTask[dict[str, float]]:
    """The share of each word of a text in what comes next; together they have `weight`.

    `read[i]` is the context before `words[i]`, the last one the present: one more than words.
    A word's share is proportional to the sum of exp(sharpness * h.h_i) over the places where it
    stood, h being the top hidden values now and h_i there.
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
