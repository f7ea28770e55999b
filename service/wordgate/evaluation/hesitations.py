"""Utterances between whose transcripts a recogniser hesitates, and their rankings.

Knows utterances, futures and who is to blame for bad input; does not know file formats.
"""

from collections import deque
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
from wordgate.errors import InvalidFile, InvalidInput
from wordgate.evaluation.in_flight import UNDER_WAY, in_order


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
    utterances: Iterable[Utterance],
    weighting: Weighting,
    count_eos: bool = True,
    under_way: int = UNDER_WAY,
    bounds: SearchBounds = PLAIN_BOUNDS,
) -> Iterator[tuple[Utterance, RescoringAnswer]]:
    """Each utterance with its ranking, in order.

    Raises `InvalidFile` with the line of an utterance that cannot be ranked, after those before.
    """
    waiting: deque[Utterance] = deque()

    def ask() -> "Iterator[Future[RescoringAnswer]]":
        for utterance in utterances:
            waiting.append(utterance)
            heard = utterance.lattice or utterance.hypotheses
            yield asked.ask_rescore(utterance.history, heard, weighting, count_eos, bounds)

    try:
        for answer in in_order(ask(), under_way):
            yield waiting.popleft(), answer
    except InvalidInput as error:
        if error.field.startswith("weighting."):
            raise
        raise InvalidFile(waiting[0].path, str(error), waiting[0].line) from None
