"""Small questions: does the right word come before a wrong one, and is it the likeliest of all?

Knows question files and how a model is asked. A line of a file: context, good word, bad word,
separated by tabs; `#` begins a comment.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.engine.results import LanguageModel, PredictionResult, ScoreResult
from wordgate.errors import InvalidFile, empty
from wordgate.offline.lines import read_lines
from wordgate.offline.pipelining import in_order
from wordgate.text.inflections import is_english
from wordgate.text.normalization import normalise

OWN_QUESTIONS = "cloze.tsv"
_TOP = 3


@dataclass(frozen=True)
class Question:
    """A context and the word that should come next rather than another."""

    context: str
    good: str
    bad: str


@dataclass(frozen=True)
class Answered:
    """A question with what the model thinks: log-probabilities, and its own likeliest words.

    `likeliest` are in normal form.
    """

    question: Question
    good_log_prob: float
    bad_log_prob: float
    likeliest: list[str]

    @property
    def is_right(self) -> bool:
        """Whether the good word is likelier than the bad one."""
        return self.good_log_prob > self.bad_log_prob

    @property
    def rank(self) -> int | None:
        """Place of the good word among the model's likeliest three, from 0, or None."""
        return self.likeliest.index(self._good) if self.in_top else None

    @property
    def in_top(self) -> bool:
        """Whether the good word is among the model's likeliest three."""
        return self._good in self.likeliest

    @property
    def _good(self) -> str:
        """The good word in normal form, as the likeliest are."""
        return normalise(self.question.good)


def own_questions() -> list[Question]:
    """The fifty questions that come with the package."""
    source = files("wordgate.evaluation").joinpath(OWN_QUESTIONS)
    return parse(source.read_text("utf-8"), Path(OWN_QUESTIONS))


def are_in(language: str) -> bool:
    """Whether our own questions, which are English, are in a model's language (a BCP 47 tag)."""
    return is_english(language)


def read(path: Path) -> list[Question]:
    """The questions of a file. Raises `InvalidFile` with the line, or when there is none."""
    return _parse(read_lines(path), path)


def parse(document: str, path: Path) -> list[Question]:
    """The questions of a document that came from `path`."""
    return _parse(enumerate(document.split("\n"), 1), path)


def _parse(lines: Iterable[tuple[int, str]], path: Path) -> list[Question]:
    found = []
    for number, line in lines:
        if line.strip() and not line.startswith("#"):
            columns = line.split("\t")
            if len(columns) < 3 or not columns[1].strip() or not columns[2].strip():
                raise InvalidFile(
                    path, "needs a context, a good and a bad word, tabs between", number
                )
            found.append(Question(*columns[:3]))
    if not found:
        raise empty(path, "question")
    return found


def ask(asked: LanguageModel, questions: Sequence[Question]) -> list[Answered]:
    """Ask all questions. Words are compared by their log-probability after the context."""

    def scores() -> Iterator["Future[ScoreResult]"]:
        for question in questions:
            yield asked.submit_score(
                question.context, [question.good, question.bad], count_eos=False
            )

    def predictions() -> Iterator["Future[PredictionResult]"]:
        for question in questions:
            yield asked.submit_predict(
                Query(question.context, options=Options(max_suggestions=_TOP))
            )

    scored, predicted = list(in_order(scores())), list(in_order(predictions()))
    return [
        Answered(
            question,
            score.candidates[0].log_prob,
            score.candidates[1].log_prob,
            [normalise(suggestion.text) for suggestion in prediction.suggestions],
        )
        for question, score, prediction in zip(questions, scored, predicted, strict=True)
    ]
