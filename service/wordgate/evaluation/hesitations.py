"""Utterances between whose transcripts a recogniser hesitates, and their rankings.

Knows utterances, futures and who is to blame for bad input; does not know file formats.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from wordgate.core.hypothesis import Hypothesis
from wordgate.core.lattice import Lattice
from wordgate.core.lattice_search import SearchBounds
from wordgate.core.rescoring import PLAIN_BOUNDS
from wordgate.core.weighting import Weighting
from wordgate.engine.answers import Asked, RescoringAnswer
from wordgate.errors import InvalidFile
from wordgate.evaluation.in_flight import UNDER_WAY
from wordgate.evaluation.records import answered


@dataclass(frozen=True)
class Utterance:
    """What was heard, the recogniser's best first; `reference` is what was said, where known.

    A `lattice` takes the place of the list, which then is empty. `path` and `line` are where it was
    read.
    """

    utt: str
    hypotheses: Sequence[Hypothesis]
    path: Path
    line: int
    history: str = ""
    reference: str | None = None
    lattice: Lattice | None = None


def ranked(
    asked: Asked,
    utterances: Iterable[Utterance | InvalidFile],
    weighting: Weighting,
    count_eos: bool = True,
    under_way: int = UNDER_WAY,
    bounds: SearchBounds = PLAIN_BOUNDS,
) -> Iterator[tuple[Utterance, RescoringAnswer] | InvalidFile]:
    """Each utterance with its ranking, in order; an `InvalidFile` for one that has none."""

    def ask(utterance: Utterance) -> "Future[RescoringAnswer]":
        heard = utterance.lattice or utterance.hypotheses
        return asked.ask_rescore(utterance.history, heard, weighting, count_eos, bounds)

    return answered(utterances, ask, under_way)
