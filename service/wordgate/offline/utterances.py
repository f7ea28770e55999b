"""Utterances between whose transcripts a recogniser hesitates, and their rankings.

Knows utterances, futures and who is to blame for bad input; does not know file formats.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from wordgate.engine.results import LanguageModel, RescoringResult
from wordgate.errors import InvalidFile
from wordgate.offline.alternations import Reference
from wordgate.offline.lines import uncompressed
from wordgate.offline.pipelining import UNDER_WAY
from wordgate.offline.reading_report import LEAST, Reading
from wordgate.offline.records import answered
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.lattice import Alternative, Arc, ConfusionNetwork, Lattice
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS
from wordgate.scoring.weighting import Weighting


@dataclass(frozen=True)
class Utterance:
    """What was heard, the recogniser's best first; `reference` is what was said, where known.

    A `lattice`, or a confusion network, takes the place of the list, which then is empty. `path`
    and `line` are where it was read.
    """

    utt: str
    hypotheses: Sequence[Hypothesis]
    path: Path
    line: int
    history: str = ""
    reference: Reference | None = None
    lattice: Lattice | ConfusionNetwork | None = None

    @property
    def score_names(self) -> Collection[str]:
        """The scores that its first candidate, arc or alternative has."""
        if isinstance(self.lattice, Lattice):
            first: Sequence[Arc | Alternative | Hypothesis] = self.lattice.arcs
        else:
            first = self.lattice.slots[0] if self.lattice else self.hypotheses
        return first[0].scores.keys() if first else ()


def referenced(
    utterances: Iterable[Utterance | InvalidFile],
    reading: Reading,
    said: Mapping[str, Reference] | None,
) -> Iterator[Utterance | InvalidFile]:
    """The utterances with their references, without null labels in those; counted in `reading`.

    What was `said` goes by an utterance's name, or by the name of a file that holds one lattice.
    """
    for utterance in utterances:
        if isinstance(utterance, InvalidFile):
            reading.refused += 1
            yield utterance
            continue
        reference = utterance.reference
        if said is not None:
            by_file = said.get(uncompressed(utterance.path).stem) if utterance.lattice else None
            reference = said.get(utterance.utt, reference if by_file is None else by_file)
        reading.count(
            utterance.utt, len(utterance.hypotheses), utterance.score_names, reference is not None
        )
        if reference is not None:
            reference = reading.said(reference)
        yield replace(utterance, reference=reference)
    if said is not None:
        reading.note_references(said)


def ranked(
    asked: LanguageModel,
    utterances: Iterable[Utterance | InvalidFile],
    weighting: Weighting,
    count_eos: bool = True,
    under_way: int = UNDER_WAY,
    bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
) -> Iterator[tuple[Utterance, RescoringResult] | InvalidFile]:
    """Each utterance with its ranking, in order; an `InvalidFile` for one that has none."""

    def ask(utterance: Utterance) -> "Future[RescoringResult]":
        heard = utterance.lattice or [_last(each, weighting) for each in utterance.hypotheses]
        return asked.submit_rescore(utterance.history, heard, weighting, count_eos, bounds)

    return answered(utterances, ask, under_way)


def _last(hypothesis: Hypothesis, weighting: Weighting) -> Hypothesis:
    """The hypothesis; one with a score of minus infinity ranks last under a negative weight too."""
    infinite = [name for name, score in hypothesis.scores.items() if score == LEAST]
    turned = {name: -LEAST for name in infinite if weighting.weight(name) < 0}
    return replace(hypothesis, scores={**hypothesis.scores, **turned}) if turned else hypothesis
