"""The output layer's two levels, as ranges of pieces.

Knows numbers of pieces only. Pieces are numbered by falling frequency; the head holds the most
frequent ones and one entry for each cluster of rarer ones (Grave et al. 2017, arXiv 1609.04309).
"""

import bisect
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def likely_log_prob(piece: int) -> float:
    """About what a model says of a piece by its number alone: for orders, never for bounds."""
    return -0.33 - 0.94 * math.log(piece + 3)


@dataclass(frozen=True)
class AdaptiveSoftmaxLayout:
    """Where the head and each cluster begin and end: `cuts` (2000, 6000, 16000), say.

    Level 0 is the head, pieces [0, cuts[0]); level n is cluster n, pieces [cuts[n-1], cuts[n]).
    One cut alone is a full softmax: a head and no clusters.
    """

    cuts: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many levels there are, the head included."""
        return len(self.cuts)

    @property
    def vocabulary(self) -> int:
        """How many pieces there are."""
        return self.cuts[-1]

    @property
    def head(self) -> int:
        """How many pieces stand in the head; cluster n's value in a head row is `head + n - 1`."""
        return self.cuts[0]

    def of(self, piece: int) -> int:
        """The level that a piece lies in."""
        return bisect.bisect_right(self.cuts, piece)

    def of_many(self, pieces: NDArray[np.int64]) -> NDArray[np.int64]:
        """The levels that pieces lie in."""
        return np.searchsorted(self.cuts, pieces, side="right")

    def first(self, level: int) -> int:
        """The first piece of a level."""
        return self.cuts[level - 1] if level else 0

    def width(self, level: int) -> int:
        """Entries in a row of this level: its pieces, for the head its clusters too."""
        clusters = self.count - 1 if level == 0 else 0
        return self.cuts[level] - self.first(level) + clusters

    def entries(self, level: int, pieces: NDArray[np.int64]) -> NDArray[np.int64]:
        """Entries of a row of this level that pieces, ascending, lie under: their own, in the
        head also those of their clusters."""
        first, after = self.first(level), self.cuts[level]
        here = pieces[np.searchsorted(pieces, first) : np.searchsorted(pieces, after)] - first
        if level:
            return here
        of_cluster = np.searchsorted(np.array(self.cuts), pieces, side="right")
        clusters = np.unique(of_cluster[of_cluster > 0])
        return np.concatenate([here, self.head + clusters - 1])
