"""What a reader of hypotheses used and what it skipped, for a report after the reading.

A reader gets a `Reading`, asks it which words are null labels and tells it what it did.
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

LEAST = -1e9
"""Stands for a score of minus infinity: below all others, yet sums with it stay exact to 1e-7."""

_MOST_NAMES = 8
"""Names in one line of a report."""

_MOST_FILES = 4
"""Files that are named as read; their names may be long."""

_MOST_LABELS = 10_000
"""Different null labels that are counted apart; a mark with a number in it may be new each time."""


class Reading:
    """The null labels of an input, and an account of how it was read."""

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
        """A reading with the null labels that recognisers write, and others."""
        return cls(NullLabels((*RECOGNISERS, *null_labels)))

    def count(
        self, utt: str, candidates: int, score_names: Iterable[str], has_reference: bool
    ) -> None:
        """Count an utterance that is handed on."""
        self.utterances += 1
        self._candidates += candidates
        self.score_names |= dict.fromkeys(score_names)
        if has_reference:
            self._with_reference += 1
        elif len(self._without_reference) < _MOST_NAMES:
            self._without_reference.append(utt)

    def note_references(self, said: Collection[str]) -> None:
        """Note which utterances have no reference, now that all are counted."""
        missing = self.utterances - self._with_reference
        if not missing:
            return
        names = ", ".join(self._without_reference[:3])
        problem = f"{missing:,} of {counting(self.utterances, 'utterance')} have no reference"
        if not self._with_reference:
            problem = "no utterance has a reference"
        known = ", ".join(islice(said, 3))
        self.note(f"{problem}: the input has {names} …; the references have {known} …")

    def use(self, name: str) -> None:
        """Count a file as read."""
        self._used[name] = None

    def skip(self, name: str, reason: str) -> None:
        """Count a file, or what else has a name, as skipped."""
        self._skipped.setdefault(reason, {})[name] = None

    def note(self, text: str) -> None:
        """Keep something else to be said; the same note is said once, with its count."""
        self._notes[text] += 1

    def label(self, label: str) -> str:
        """Return what a label says: nothing for a null label."""
        if not self.null_labels.matches(label):
            return label
        if label in self._left_out or len(self._left_out) < _MOST_LABELS:
            self._left_out[label] += 1
        return ""

    def heard(self, hypothesis: Hypothesis) -> Hypothesis:
        """Return a hypothesis without its null labels; one that has none comes back as it is."""
        if not self.null_labels.patterns:
            return hypothesis
        tokens = hypothesis.text.split()
        spoken = [place for place, token in enumerate(tokens) if self.label(token)]
        if len(spoken) == len(tokens):
            return hypothesis
        times = hypothesis.times
        if len(times) == len(tokens):
            times = [times[place] for place in spoken]
        return replace(hypothesis, text=" ".join(tokens[place] for place in spoken), times=times)

    def said(self, reference: Reference) -> Reference:
        """Return a reference without null labels, which no candidate has."""
        if isinstance(reference, Alternation):
            return reference.with_words(self._spoken)
        return self._spoken(reference)

    def _spoken(self, text: str) -> str:
        tokens = text.split()
        spoken = [token for token in tokens if not self.null_labels.matches(token)]
        return text if len(spoken) == len(tokens) else " ".join(spoken)

    def report(self) -> Iterator[str]:
        """Yield what was used, what was skipped and why, and what was left out."""
        counted = counting(self.utterances, "utterance")
        if self._candidates:
            counted += f", {counting(self._candidates, 'candidate')}"
        used = f" from {_listed(self._used, _MOST_FILES)}" if self._used else ""
        yield f"read {counted}{used}"
        if self.refused:
            yield f"refused {counting(self.refused, 'utterance')}"
        for reason, names in self._skipped.items():
            yield f"skipped {_listed(names)}: {reason}"
        if self._left_out:
            labels = [f"{label} ({count:,})" for label, count in self._left_out.most_common()]
            yield f"left out as null labels: {_listed(labels)}"
        for note, count in self._notes.items():
            yield note if count == 1 else f"{note} ({count:,} times)"


def rankable(value: float) -> float:
    """Return a score as it can be ranked: minus infinity becomes `LEAST`.

    Raises `ValueError` for a number that is neither finite nor minus infinity.
    """
    if value == -math.inf:
        return LEAST
    if not math.isfinite(value):
        raise ValueError(f"the score {value}")
    return value


def counting(number: int, noun: str) -> str:
    """Return a number with its noun: `1 utterance`, `2,000 utterances`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _listed(names: Iterable[str], most: int = _MOST_NAMES) -> str:
    listed = list(names)
    more = len(listed) - most
    rest = f" and {more:,} more" if more > 0 else ""
    return ", ".join(listed[:most]) + rest
