"""Segments of text for training: endless, reproducible, and resumable at any segment.

Knows passages as numbers of pieces; does not know text or the network. Each column of a batch
reads passages one after another, `<eos>` between them, and goes on in the next segment where it
stopped. From time to time a column drops the rest of its passage and begins a new text: the
network reads `<eos>` from the zero state, as the server does. Dropped pieces do not count as read:
their file is drawn the sooner (in a long passage, what stands late is still read less often).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgate.errors import TrainingError
from wordgate.training.data.token_cache import PieceFile


@dataclass(frozen=True)
class Segment:
    """What a batch reads in one update.

    `read` and `targets`: int64 [length, batch], the pieces and the ones that follow them;
    `restarted`: bool [batch], the columns whose state must be zero before.
    """

    read: NDArray[np.int64]
    targets: NDArray[np.int64]
    restarted: NDArray[np.bool_]


@dataclass
class _Place:
    """Where a column is: after `offset` pieces of a passage (`<eos>` comes after the last)."""

    file: int = -1
    passage: int = -1
    offset: int = 0


class Sampler:
    """Draws passages and lines them up in columns.

    A file's passages come in a new random order each time it has been read through. Files are
    drawn at random, the likelier the further they are behind, so that the pieces read of them are
    proportional to size times weight, however long their passages.
    """

    def __init__(
        self,
        files: Sequence[PieceFile],
        weights: Sequence[float],
        batch: int,
        length: int,
        restart_share: float,
        seed: int,
        eos: int = 0,
    ) -> None:
        sizes = np.array([len(file.pieces) for file in files]) * np.array(weights, np.float64)
        if not sizes.sum():
            raise TrainingError("there is no text to train on")
        self._files = files
        self._shares = sizes / sizes.sum()
        self._promised = [0] * len(files)
        """Pieces of each file that were read, or will be unless a restart drops them."""
        self._length = length
        self._restart_share = restart_share
        self._seed = seed
        self._eos = eos
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._drawn = [0] * len(files)
        self._orders: dict[int, tuple[int, NDArray[np.int64]]] = {}
        self._columns = [_Place() for _ in range(batch)]

    def next_segment(self) -> Segment:
        """The next segment; the first one begins a new text in every column."""
        restarted = self._random.random(len(self._columns)) < self._restart_share
        pieces = np.empty((self._length + 1, len(self._columns)), dtype=np.int64)
        for index, place in enumerate(self._columns):
            restarted[index] |= place.file < 0
            if place.file < 0:
                self._draw(place)
            elif restarted[index] and place.offset:
                self._promised[place.file] -= len(self._rest(place))
                self._draw(place)
            pieces[:, index] = self._read(place)
        return Segment(pieces[:-1], pieces[1:], restarted)

    def state(self) -> dict[str, Any]:
        """All that a sampler over the same files needs to go on from here; fit for JSON."""
        return {
            "random": self._random.bit_generator.state,
            "drawn": list(self._drawn),
            "promised": list(self._promised),
            "columns": [asdict(place) for place in self._columns],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from where a sampler over the same files was."""
        self._random.bit_generator.state = state["random"]
        self._drawn = list(state["drawn"])
        self._promised = list(state["promised"])
        self._columns = [_Place(**place) for place in state["columns"]]

    def _read(self, place: _Place) -> NDArray[np.int64]:
        """The last piece that the column read, and the `length` pieces after it."""
        found = [self._last(place)]
        missing = self._length
        while missing:
            taken = self._rest(place)[:missing]
            found.append(taken)
            place.offset += len(taken)
            missing -= len(taken)
            if missing:
                found.append(np.array([self._eos]))
                missing -= 1
                self._draw(place)
        return np.concatenate(found)

    def _rest(self, place: _Place) -> NDArray[np.int64]:
        """What the column has not read yet of its passage."""
        return self._files[place.file].passage(place.passage)[place.offset :]

    def _last(self, place: _Place) -> NDArray[np.int64]:
        if not place.offset:
            return np.array([self._eos])
        passage = self._files[place.file].passage(place.passage)
        return passage[place.offset - 1 : place.offset]

    def _draw(self, place: _Place) -> None:
        """Put a column at the beginning of the next passage."""
        file = self._draw_file()
        number = self._drawn[file]
        self._drawn[file] += 1
        turn, index = divmod(number, len(self._files[file]))
        place.file, place.passage, place.offset = file, int(self._order(file, turn)[index]), 0
        self._promised[file] += len(self._rest(place))

    def _draw_file(self) -> int:
        """A file that is behind its share: always one with passages, for one piece is due."""
        promised = np.array(self._promised, dtype=np.float64)
        behind = self._shares * (promised.sum() + 1) - promised
        limits = np.cumsum(np.maximum(behind, 0))
        return int(np.searchsorted(limits, self._random.random() * limits[-1], side="right"))

    def _order(self, file: int, turn: int) -> NDArray[np.int64]:
        """The order of a file's passages the `turn`-th time that it is read."""
        kept = self._orders.get(file)
        if kept is None or kept[0] != turn:
            random = np.random.Generator(np.random.PCG64([self._seed, file, turn]))
            kept = turn, random.permutation(len(self._files[file]))
            self._orders[file] = kept
        return kept[1]
