"""Sample training segments: endless, reproducible, and resumable at any segment.

Each column of a batch reads passages one after another, separated by `<eos>`, and continues in the
next segment where it stopped. At random a column drops the rest of its passage and begins a new
text: the network reads `<eos>` from the zero state, as the server does. Dropped tokens do not count
as read, so their file is drawn again sooner. The ends of long passages are still read less often.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgate.errors import TrainingError
from wordgate.training.data.token_cache import TokenFile


@dataclass(frozen=True)
class Segment:
    """The tokens that a batch reads in one update.

    `read` and `targets`: int64 [length, batch], the tokens and the tokens that follow them.
    `restarted`: bool [batch], the columns whose state must be zeroed first.
    """

    read: NDArray[np.int64]
    targets: NDArray[np.int64]
    restarted: NDArray[np.bool_]


@dataclass(frozen=True)
class SegmentLength:
    """Distribution of the number of tokens per column and segment.

    Normal around `mean`, or around half of it in `half_share` of the segments; at least 1. With a
    `deviation` of 0 and a `half_share` of 0 it is always `mean`. Merity et al. 2017, section 5.
    """

    mean: int
    deviation: float = 0.0
    half_share: float = 0.0

    def draw(self, random: np.random.Generator) -> int:
        """Draw a length. A constant length draws nothing from `random`."""
        if not self.deviation and not self.half_share:
            return self.mean
        mean = self.mean / 2 if random.random() < self.half_share else self.mean
        return max(1, round(random.normal(mean, self.deviation)))


@dataclass
class _Place:
    """Position of a column: after `offset` tokens of a passage. `<eos>` follows the last token."""

    file: int = -1
    passage: int = -1
    offset: int = 0


class Sampler:
    """Draws passages and arranges them in columns.

    The passages of a file are reshuffled for each pass over it. Files are drawn at random, with
    a probability proportional to how far they are behind their share. The tokens read from a file
    are thereby proportional to size times weight, independent of the length of its passages.
    """

    def __init__(
        self,
        files: Sequence[TokenFile],
        weights: Sequence[float],
        batch: int,
        length: SegmentLength,
        restart_share: float,
        seed: int,
        eos: int = 0,
    ) -> None:
        sizes = np.array([len(file.tokens) for file in files]) * np.array(weights, np.float64)
        if not sizes.sum():
            raise TrainingError("no training text")
        self._files = files
        self._shares = sizes / sizes.sum()
        self._promised = [0] * len(files)
        """Tokens of each file that were read, or will be unless a restart drops them."""
        self._length = length
        self._restart_share = restart_share
        self._seed = seed
        self._eos = eos
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._drawn = [0] * len(files)
        self._orders: dict[int, tuple[int, NDArray[np.int64]]] = {}
        self._columns = [_Place() for _ in range(batch)]

    def next_segment(self) -> Segment:
        """Return the next segment. The first one begins a new text in every column."""
        length = self._length.draw(self._random)
        restarted = self._random.random(len(self._columns)) < self._restart_share
        tokens = np.empty((length + 1, len(self._columns)), dtype=np.int64)
        for index, place in enumerate(self._columns):
            restarted[index] |= place.file < 0
            if place.file < 0:
                self._draw(place)
            elif restarted[index] and place.offset:
                self._promised[place.file] -= len(self._rest(place))
                self._draw(place)
            tokens[:, index] = self._read(place, length)
        return Segment(tokens[:-1], tokens[1:], restarted)

    def state(self) -> dict[str, Any]:
        """Return the JSON-serialisable state for resuming with the same files."""
        return {
            "random": self._random.bit_generator.state,
            "drawn": list(self._drawn),
            "promised": list(self._promised),
            "columns": [asdict(place) for place in self._columns],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the state of a sampler over the same files."""
        self._random.bit_generator.state = state["random"]
        self._drawn = list(state["drawn"])
        self._promised = list(state["promised"])
        self._columns = [_Place(**place) for place in state["columns"]]

    def _read(self, place: _Place, length: int) -> NDArray[np.int64]:
        """Return the last token that the column read, and the `length` tokens after it."""
        parts = [self._last(place)]
        missing = length
        while missing:
            tokens = self._rest(place)[:missing]
            parts.append(tokens)
            place.offset += len(tokens)
            missing -= len(tokens)
            if missing:
                parts.append(np.array([self._eos]))
                missing -= 1
                self._draw(place)
        return np.concatenate(parts)

    def _rest(self, place: _Place) -> NDArray[np.int64]:
        """Return the unread tokens of the column's passage."""
        return self._files[place.file].passage(place.passage)[place.offset :]

    def _last(self, place: _Place) -> NDArray[np.int64]:
        if not place.offset:
            return np.array([self._eos])
        passage = self._files[place.file].passage(place.passage)
        return passage[place.offset - 1 : place.offset]

    def _draw(self, place: _Place) -> None:
        """Move a column to the beginning of the next passage."""
        file = self._draw_file()
        number = self._drawn[file]
        self._drawn[file] += 1
        turn, index = divmod(number, len(self._files[file]))
        place.file, place.passage, place.offset = file, int(self._order(file, turn)[index]), 0
        self._promised[file] += len(self._rest(place))

    def _draw_file(self) -> int:
        """Draw a file that is behind its share. At least one token is due, so a file is found."""
        promised = np.array(self._promised, dtype=np.float64)
        behind = self._shares * (promised.sum() + 1) - promised
        limits = np.cumsum(np.maximum(behind, 0))
        return int(np.searchsorted(limits, self._random.random() * limits[-1], side="right"))

    def _order(self, file: int, turn: int) -> NDArray[np.int64]:
        """Return the order of a file's passages in pass number `turn`."""
        order = self._orders.get(file)
        if order is None or order[0] != turn:
            random = np.random.Generator(np.random.PCG64([self._seed, file, turn]))
            order = turn, random.permutation(len(self._files[file]))
            self._orders[file] = order
        return order[1]
