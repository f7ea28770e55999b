"""Measure the quality of suggestions by the words that users then type.

Only the rank and the surprisal of a word are reported. Words themselves are neither stored nor
counted.
"""

from collections.abc import Callable
from dataclasses import dataclass

from wordgate.decoding.prediction_result import PredictionResult
from wordgate.text import words
from wordgate.text.normalization import normalise


@dataclass(frozen=True, slots=True)
class FinishedWord:
    """A normalised word that was typed or accepted after `history`.

    `rank` (from 1) is its rank among the suggestions shown before its first letter. `rank` and
    `log_prob` are None if it was not suggested.
    """

    history: str
    word: str
    rank: int | None
    log_prob: float | None


@dataclass(frozen=True, slots=True)
class _Begun:
    """The start of a word in code points, and the suggestions shown there."""

    place: int
    suggested: tuple[tuple[str, float], ...] | None


class AcceptanceTracker:
    """Follows the text of a session and reports each word that is completed at its end.

    Words typed before any suggestions were shown are not reported.
    """

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun: _Begun | None = None

    def edited(self, before: str, now: str) -> None:
        """Handle a change of the text up to the cursor; forget the word if text was removed."""
        if not now.startswith(before):
            self._begun = None

    def answered(
        self, text: str, answer: PredictionResult, tell: Callable[[FinishedWord], None]
    ) -> None:
        """Handle suggestions for a text up to the cursor; call `tell` with a completed word."""
        place = len(text) - len(answer.prefix)
        begun = self._begun
        if begun is not None and place == begun.place:
            return
        if begun is not None:
            word = _finished(begun, text[: begun.place], text[begun.place : place])
            if word is not None:
                tell(word)
        suggested = None
        if not answer.prefix:
            suggested = tuple((normalise(s.text), s.log_prob) for s in answer.suggestions)
        self._begun = _Begun(place, suggested)


def _finished(begun: _Begun, history: str, grown: str) -> FinishedWord | None:
    """Return the one word that a text has grown by, or None if it was not a single typed word."""
    split = words.split(normalise(grown))
    if not split or words.is_punctuation(split[0]) or begun.suggested is None:
        return None
    if not all(map(words.is_punctuation, split[1:])):
        return None  # several words at once were pasted, not typed
    word = split[0]
    for rank, (text, log_prob) in enumerate(begun.suggested, 1):
        if text == word:
            return FinishedWord(history, word, rank, log_prob)
    return FinishedWord(history, word, None, None)
