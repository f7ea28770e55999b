"""Utterances with a recogniser's hypotheses, and their rescored rankings."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from wordgate.engine.results import LanguageModel, RescoringResult
from wordgate.errors import InvalidFile, InvalidInput
from wordgate.offline.alternations import Reference
from wordgate.offline.lines import uncompressed
from wordgate.offline.pipelining import DEFAULT_IN_FLIGHT
from wordgate.offline.reading_report import MIN_SCORE, Reading
from wordgate.offline.records import answered
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.lattice import Alternative, Arc, ConfusionNetwork, Lattice
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS
from wordgate.scoring.score_weights import ScoreWeights
from wordgate.text.normalization import require_unicode


@dataclass(frozen=True)
class Utterance:
    """Hypotheses of one utterance, the recogniser's best first.

    `reference` is the correct transcript, if known. A `lattice` or confusion network replaces the
    list of hypotheses, which is empty then. `path` and `line` locate it in the input.
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
        """Names of the scores of the first candidate, arc or alternative."""
        if isinstance(self.lattice, Lattice):
            first: Sequence[Arc | Alternative | Hypothesis] = self.lattice.arcs
        else:
            first = self.lattice.slots[0] if self.lattice else self.hypotheses
        return first[0].scores.keys() if first else ()


def referenced(
    utterances: Iterable[Utterance | InvalidFile],
    reading: Reading,
    references: Mapping[str, Reference] | None,
) -> Iterator[Utterance | InvalidFile]:
    """Yield the utterances with their references, and count them in `reading`.

    Null labels are removed from the references. `references` maps utterance names, or names of
    files with a single lattice, to references.
    """
    for utterance in map(_in_unicode, utterances):
        if isinstance(utterance, InvalidFile):
            reading.refused += 1
            yield utterance
            continue
        reference = utterance.reference
        if references is not None:
            by_file = (
                references.get(uncompressed(utterance.path).stem) if utterance.lattice else None
            )
            reference = references.get(utterance.utt, reference if by_file is None else by_file)
        reading.count(
            utterance.utt, len(utterance.hypotheses), utterance.score_names, reference is not None
        )
        if reference is not None:
            reference = reading.spoken_reference(reference)
        yield replace(utterance, reference=reference)
    if references is not None:
        reading.note_references(references)


def _in_unicode(found: Utterance | InvalidFile) -> Utterance | InvalidFile:
    """Return an `InvalidFile` in place of an utterance whose name or reference is not Unicode.

    Names of files and escapes in JSON may contain lone surrogates, which cannot be written.
    """
    if isinstance(found, InvalidFile):
        return found
    try:
        require_unicode(found.utt, "name of the utterance")
        if isinstance(found.reference, str):
            require_unicode(found.reference, "reference")
    except InvalidInput as error:
        return InvalidFile(found.path, str(error), found.line)
    return found


def ranked(
    model: LanguageModel,
    utterances: Iterable[Utterance | InvalidFile],
    score_weights: ScoreWeights,
    count_eos: bool = True,
    in_flight: int = DEFAULT_IN_FLIGHT,
    bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
) -> Iterator[tuple[Utterance, RescoringResult] | InvalidFile]:
    """Yield each utterance with its ranking, in order, or an `InvalidFile` for an invalid one."""

    def ask(utterance: Utterance) -> "Future[RescoringResult]":
        heard = utterance.lattice or [_last(each, score_weights) for each in utterance.hypotheses]
        return model.submit_rescore(utterance.history, heard, score_weights, count_eos, bounds)

    return answered(utterances, ask, in_flight)


def _last(hypothesis: Hypothesis, score_weights: ScoreWeights) -> Hypothesis:
    """Make a hypothesis with a score of minus infinity rank last under a negative weight too."""
    infinite = [name for name, score in hypothesis.scores.items() if score == MIN_SCORE]
    turned = {name: -MIN_SCORE for name in infinite if score_weights.weight_of(name) < 0}
    return replace(hypothesis, scores={**hypothesis.scores, **turned}) if turned else hypothesis
