"""How good suggestions were, seen from what was typed afterwards.

Knows texts as they grow, and what was suggested before each word; does not know messages. No word
is kept or counted by itself: only its rank, and how surprising it was.
"""

from collections.abc import Callable
from dataclasses import dataclass

from wordgate.engine.results import PredictionResult
from wordgate.text import words
from wordgate.text.normalization import normalise


@dataclass(frozen=True, slots=True)
class FinishedWord:
    """A word that was typed or chosen after `history`, in normal form.

    `rank`, from 1, is its place among the suggestions that stood there before its first letter,
    None when it was not there; `log_prob` is known if it was.
    """

    history: str
    word: str
    rank: int | None
    log_prob: float | None


@dataclass(frozen=True, slots=True)
class _Begun:
    """Where a word begins, in code points, and what was suggested there."""

    place: int
    suggested: tuple[tuple[str, float], ...] | None


class AcceptanceTracker:
    """Follows one text and tells of each word that is finished at its end.

    Words before whose first letter no suggestions came are not told of: who types faster than
    answers come says nothing of them.
    """

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun: _Begun | None = None

    def edited(self, before: str, now: str) -> None:
        """The text up to the cursor has changed; unless it has only grown, nothing is begun."""
        if not now.startswith(before):
            self._begun = None

    def answered(
        self, text: str, answer: PredictionResult, tell: Callable[[FinishedWord], None]
    ) -> None:
        """Suggestions came for a text up to the cursor; `tell` is told of a finished word."""
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
    """The one word that a text has grown by, with its rank; None where it was not typed so."""
    found = words.split(normalise(grown))
    if not found or words.is_punctuation(found[0]) or begun.suggested is None:
        return None
    if not all(map(words.is_punctuation, found[1:])):
        return None  # several words at once were not typed
    word = found[0]
    for rank, (text, log_prob) in enumerate(begun.suggested, 1):
        if text == word:
            return FinishedWord(history, word, rank, log_prob)
    return FinishedWord(history, word, None, None)
