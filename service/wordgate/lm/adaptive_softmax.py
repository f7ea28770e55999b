"""Layout of the adaptive softmax: the token ranges of its head and clusters.

Token ids descend in frequency. The head has the most frequent tokens and one entry per cluster of
rarer tokens (Grave et al. 2017, arXiv 1609.04309).
"""

import bisect
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def likely_log_prob(token: int) -> float:
    """Estimate a token's log-probability from its id alone. Use it to order, never as a bound."""
    return -0.33 - 0.94 * math.log(token + 3)


@dataclass(frozen=True)
class AdaptiveSoftmaxLayout:
    """The output levels of an adaptive softmax, given by its cutoffs, such as (2000, 6000, 16000).

    Level 0 is the head, with tokens [0, cutoffs[0]). Level n is cluster n, with tokens
    [cutoffs[n-1], cutoffs[n]). A single cutoff is a full softmax: a head without clusters.
    """

    cutoffs: tuple[int, ...]
    count: int = field(init=False, compare=False)
    """Number of levels, including the head."""
    vocabulary: int = field(init=False, compare=False)
    """Number of tokens in the vocabulary."""
    head: int = field(init=False, compare=False)
    """Number of tokens in the head. Cluster n has entry `head + n - 1` of a head row."""
    firsts: tuple[int, ...] = field(init=False, compare=False)
    """The first token of each level."""

    def __post_init__(self) -> None:
        derived = {
            "count": len(self.cutoffs),
            "vocabulary": self.cutoffs[-1],
            "head": self.cutoffs[0],
            "firsts": (0, *self.cutoffs[:-1]),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def of(self, token: int) -> int:
        """Return the level of a token."""
        return bisect.bisect_right(self.cutoffs, token)

    def of_many(self, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the level of each token."""
        return np.searchsorted(self.cutoffs, tokens, side="right")

    def width(self, level: int) -> int:
        """Return the number of entries of a level's row: its tokens and, in the head, clusters."""
        clusters = self.count - 1 if level == 0 else 0
        return self.cutoffs[level] - self.firsts[level] + clusters

    def entries(self, level: int, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the entries of a row of this level that lead to the given tokens (ascending).

        These are the entries of the tokens themselves and, in the head, of their clusters.
        """
        first, after = self.firsts[level], self.cutoffs[level]
        here = tokens[np.searchsorted(tokens, first) : np.searchsorted(tokens, after)] - first
        if level:
            return here
        of_cluster = np.searchsorted(np.array(self.cutoffs), tokens, side="right")
        clusters = np.unique(of_cluster[of_cluster > 0])
        return np.concatenate([here, self.head + clusters - 1])
