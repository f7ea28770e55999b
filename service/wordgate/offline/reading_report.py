"""Report of what a reader of hypotheses used and skipped.

A reader receives a `Reading`, which filters null labels and collects the report.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Self

from wordgate.offline.alternations import Alternation, Reference
from wordgate.offline.null_labels import RECOGNISERS, NullLabels
from wordgate.scoring.hypothesis import Hypothesis

MIN_SCORE = -1e9
"""Replacement for a score of minus infinity: below all others, but sums stay exact to 1e-7."""

_MAX_NAMES = 8
"""Maximum number of names per line of the report."""

_MAX_FILES = 4
"""Maximum number of files listed as read; their names may be long."""

_MAX_LABELS = 10_000
"""Maximum number of distinct null labels counted; marks with numbers in them may all differ."""


class Reading:
    """Null labels of an input, and the report of how it was read."""

    def __init__(self, null_labels: NullLabels | None = None) -> None:
        self.null_labels = null_labels or NullLabels()
        self.refused = 0
        self.score_names: dict[str, None] = {}
        self.utterances = 0
        self._candidates = 0
        self._with_reference = 0
        self._without_reference: list[str] = []
        self._used: dict[str, None] = {}
        self._skipped: dict[str, dict[str, None]] = {}
        self._left_out: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()

    @classmethod
    def of_recogniser(cls, *null_labels: str) -> Self:
        """Create a reading with the null labels of common recognisers, plus `null_labels`."""
        return cls(NullLabels((*RECOGNISERS, *null_labels)))

    def count(
        self, utt: str, candidates: int, score_names: Iterable[str], has_reference: bool
    ) -> None:
        """Count a valid utterance."""
        self.utterances += 1
        self._candidates += candidates
        self.score_names |= dict.fromkeys(score_names)
        if has_reference:
            self._with_reference += 1
        elif len(self._without_reference) < _MAX_NAMES:
            self._without_reference.append(utt)

    def note_references(self, names_with_reference: Collection[str]) -> None:
        """Note the utterances without a reference. Call it after all are counted."""
        missing = self.utterances - self._with_reference
        if not missing:
            return
        names = ", ".join(self._without_reference[:3])
        problem = f"{missing:,} of {counting(self.utterances, 'utterance')} have no reference"
        if not self._with_reference:
            problem = "no utterance has a reference"
        known = ", ".join(islice(names_with_reference, 3))
        self.note(f"{problem}: the input has {names} …; the references have {known} …")

    def use(self, name: str) -> None:
        """Count a file as read."""
        self._used[name] = None

    def skip(self, name: str, reason: str) -> None:
        """Count a file or another named part of the input as skipped."""
        self._skipped.setdefault(reason, {})[name] = None

    def note(self, text: str) -> None:
        """Add a note; repeated notes are reported once, with their count."""
        self._notes[text] += 1

    def label(self, label: str) -> str:
        """Return a label, or an empty string for a null label."""
        if not self.null_labels.matches(label):
            return label
        if label in self._left_out or len(self._left_out) < _MAX_LABELS:
            self._left_out[label] += 1
        return ""

    def heard(self, hypothesis: Hypothesis) -> Hypothesis:
        """Return a hypothesis without its null labels."""
        if not self.null_labels.patterns:
            return hypothesis
        tokens = hypothesis.text.split()
        spoken = [index for index, token in enumerate(tokens) if self.label(token)]
        if len(spoken) == len(tokens):
            return hypothesis
        times = hypothesis.times
        if len(times) == len(tokens):
            times = [times[index] for index in spoken]
        return replace(hypothesis, text=" ".join(tokens[index] for index in spoken), times=times)

    def spoken_reference(self, reference: Reference) -> Reference:
        """Return a reference without null labels."""
        if isinstance(reference, Alternation):
            return reference.with_words(self._spoken)
        return self._spoken(reference)

    def _spoken(self, text: str) -> str:
        tokens = text.split()
        spoken = [token for token in tokens if not self.null_labels.matches(token)]
        return text if len(spoken) == len(tokens) else " ".join(spoken)

    def report(self) -> Iterator[str]:
        """Yield the lines of the report."""
        counted = counting(self.utterances, "utterance")
        if self._candidates:
            counted += f", {counting(self._candidates, 'candidate')}"
        used = f" from {_listed(self._used, _MAX_FILES)}" if self._used else ""
        yield f"read {counted}{used}"
        if self.refused:
            yield f"rejected {counting(self.refused, 'utterance')}"
        for reason, names in self._skipped.items():
            yield f"skipped {_listed(names)}: {reason}"
        if self._left_out:
            labels = [f"{label} ({count:,})" for label, count in self._left_out.most_common()]
            yield f"removed null labels: {_listed(labels)}"
        for note, count in self._notes.items():
            yield note if count == 1 else f"{note} ({count:,} times)"


def rankable(value: float) -> float:
    """Return a finite score: minus infinity becomes `MIN_SCORE`.

    Raises `ValueError` for NaN and plus infinity.
    """
    if value == -math.inf:
        return MIN_SCORE
    if not math.isfinite(value):
        raise ValueError(f"score is {value}")
    return value


def counting(number: int, noun: str) -> str:
    """Return a number with its noun: `1 utterance`, `2,000 utterances`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _listed(names: Iterable[str], most: int = _MAX_NAMES) -> str:
    listed = list(names)
    more = len(listed) - most
    rest = f" and {more:,} more" if more > 0 else ""
    return ", ".join(listed[:most]) + rest
