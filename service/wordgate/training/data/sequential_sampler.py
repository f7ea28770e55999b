"""Read the training text in order, in columns of consecutive tokens, pass after pass.

For running text such as WikiText-2. The text is cut into one column per row of the batch, and each
update continues where the one before stopped, as in Merity et al. 2017, arXiv 1708.02182. A pass
begins from the zero state.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgate.errors import TrainingError
from wordgate.training.data.sampler import Segment, SegmentLength
from wordgate.training.data.token_cache import TokenFile


class SequentialSampler:
    """Cuts columns into segments. A pass reads each token once.

    The last tokens, fewer than `batch`, are left out. The text is held in memory.
    """

    def __init__(
        self,
        files: Sequence[TokenFile],
        batch: int,
        length: SegmentLength,
        seed: int,
        eos: int = 0,
    ) -> None:
        stream = running_text(files, eos)
        if len(stream) < batch:
            raise TrainingError(
                f"the text has {len(stream)} tokens, training.batch is {batch}: too few for one "
                "token per column"
            )
        self._read, self._targets = columns_of(stream, batch, eos)
        self._length = length
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._row = 0

    def next_segment(self) -> Segment:
        """Return the next segment. The first one of a pass restarts every column."""
        rows, batch = self._read.shape
        start = self._row
        part = slice(start, min(start + self._length.draw(self._random), rows))
        self._row = part.stop % rows
        return Segment(
            np.ascontiguousarray(self._read[part], np.int64),
            np.ascontiguousarray(self._targets[part], np.int64),
            np.full(batch, start == 0),
        )

    def state(self) -> dict[str, Any]:
        """Return the JSON-serialisable state for resuming with the same files."""
        return {"random": self._random.bit_generator.state, "row": self._row}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the state of a sampler over the same files."""
        self._random.bit_generator.state = state["random"]
        self._row = state["row"]


def running_text(files: Sequence[TokenFile], eos: int) -> NDArray[np.integer[Any]]:
    """Return the tokens of all passages in order, each passage followed by `<eos>`: [tokens]."""
    ends = [file.starts[1:].astype(np.int64) for file in files]
    return np.concatenate(
        [np.insert(file.tokens, end, eos) for file, end in zip(files, ends, strict=True)]
    )


def columns_of(
    stream: NDArray[np.integer[Any]], columns: int, eos: int
) -> tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]:
    """Cut a text into columns: the tokens read and the tokens that follow, [rows, columns] each.

    `<eos>` is read before the first token. The last tokens, fewer than `columns`, are left out.
    """
    rows = len(stream) // columns
    targets = stream[: rows * columns]
    read = np.concatenate([np.array([eos], stream.dtype), targets[:-1]])
    return read.reshape(columns, rows).T, targets.reshape(columns, rows).T
