"""Two well-known cloze questions with the clue ever further away.

"The clouds are in the sky" and "I grew up in France … I speak fluent French" are often quoted to
explain why language models need memory. Neutral text of our own is inserted after the clue, and
the probability of the expected word is compared with its probability without the clue.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wordgate.decoding.options import MAX_SUGGESTIONS, Options
from wordgate.decoding.prediction import Query
from wordgate.engine.results import LanguageModel
from wordgate.text.normalization import normalise

FILLER = (
    "My sister came to visit on Monday, and we all had lunch together.",
    "After that we washed the dishes, and she told us about her new job. Her office is near the "
    "old station, so she walks to work.",
    "She likes the people there, but the days are long. In the evening she reads or calls a "
    "friend, and at the weekend she rests. We asked her to stay for dinner, and she "
    "said yes. We talked about old times for hours.",
)
"""Text between clue and question: parts of 15, 30 and 50 words, with punctuation."""

DISTANCES = (5, 20, 50, 100)
"""Numbers of words between the clue and the expected word, with none to all parts of `FILLER`."""

PREFIX = "distant_clues."
"""Beginning of the figures' names."""


@dataclass(frozen=True)
class Question:
    """A sentence that ends with the clue, the beginning of a later one, and the expected word."""

    clue: str
    beginning: str
    expected: str

    def history(self, distance: int, with_clue: bool) -> str:
        """Return the text before the expected word, with or without the sentence of the clue."""
        clue = [self.clue] if with_clue else []
        return " ".join([*clue, *FILLER[: DISTANCES.index(distance)], self.beginning])


QUESTIONS = (
    Question("I looked up at the clouds.", "They are in the", "sky"),
    Question("I grew up in France.", "So I speak fluent", "French"),
)


@dataclass(frozen=True)
class Answer:
    """The expected word's probability and its rank among the suggestions.

    Ranks count from 1; None stands for a rank below 100.
    """

    probability: float
    rank: int | None


def ask(model: LanguageModel, question: Question, distance: int, with_clue: bool) -> Answer:
    """Ask a question with or without its clue, `distance` words before the expected word."""
    history = question.history(distance, with_clue)
    scored = model.submit_score(history, [question.expected], count_eos=False)
    predicted = model.submit_predict(
        Query(history, options=Options(max_suggestions=MAX_SUGGESTIONS))
    )
    words = [normalise(suggestion.text) for suggestion in predicted.result().suggestions]
    expected = normalise(question.expected)
    rank = words.index(expected) + 1 if expected in words else None
    return Answer(math.exp(scored.result().candidates[0].log_prob), rank)


def figures(model: LanguageModel) -> dict[str, float]:
    """Ask all questions; return probabilities and ranks by name. Ranks below 100 are left out."""
    found: dict[str, float] = {}
    for question in QUESTIONS:
        for distance in DISTANCES:
            for with_clue in (True, False):
                answer = ask(model, question, distance, with_clue)
                name = _name(question, distance, with_clue)
                found[f"{name}.probability"] = answer.probability
                if answer.rank is not None:
                    found[f"{name}.rank"] = answer.rank
    return found


def table(figures: Mapping[str, float | int | None]) -> Sequence[str]:
    """Return the lines of a Markdown table of the figures of `figures`."""
    head = ["expected word", "words between", "with the clue", "rank", "without", "rank"]
    lines = [_row(head), "|---|---:|---:|---:|---:|---:|"]
    for question in QUESTIONS:
        for distance in DISTANCES:
            row = [question.expected, str(distance)]
            for with_clue in (True, False):
                name = _name(question, distance, with_clue)
                rank = figures.get(f"{name}.rank")
                row.append(f"{100 * (figures[f'{name}.probability'] or 0):.2f} %")
                row.append(f"> {MAX_SUGGESTIONS}" if rank is None else f"{rank:.0f}")
            lines.append(_row(row))
    return lines


def _name(question: Question, distance: int, with_clue: bool) -> str:
    return f"{PREFIX}{question.expected.lower()}.{distance}.{'with' if with_clue else 'without'}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
