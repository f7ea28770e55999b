"""Cloze tests: is the good next word more likely than the bad one, and is it predicted?

File format: one test per line with context, good word and bad word, separated by tabs. Lines that
begin with `#` are comments.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.engine.results import LanguageModel, ScoreResult
from wordgate.errors import InvalidFile, empty
from wordgate.offline.lines import read_lines
from wordgate.offline.pipelining import in_order
from wordgate.text.inflections import is_english
from wordgate.text.normalization import normalise

OWN_QUESTIONS = "cloze.tsv"
_TOP = 3


@dataclass(frozen=True)
class Question:
    """A context, the word that should come next, and one that should not."""

    context: str
    good: str
    bad: str


@dataclass(frozen=True)
class Answered:
    """A question with the model's log-probabilities and its three most likely words.

    The words in `likeliest` are in normal form.
    """

    question: Question
    good_log_prob: float
    bad_log_prob: float
    likeliest: list[str]

    @property
    def is_right(self) -> bool:
        """Whether the good word is more likely than the bad one."""
        return self.good_log_prob > self.bad_log_prob

    @property
    def rank(self) -> int | None:
        """Rank of the good word in the model's top three, from 0, or None."""
        return self.likeliest.index(self._good) if self.in_top else None

    @property
    def in_top(self) -> bool:
        """Whether the good word is in the model's top three."""
        return self._good in self.likeliest

    @property
    def _good(self) -> str:
        """The good word in normal form."""
        return normalise(self.question.good)


def own_questions() -> list[Question]:
    """Return the 50 questions included in the package."""
    source = files("wordgate.evaluation").joinpath(OWN_QUESTIONS)
    return parse(source.read_text("utf-8"), Path(OWN_QUESTIONS))


def are_in(language: str) -> bool:
    """Return whether the included questions (English) fit a model's language (a BCP 47 tag)."""
    return is_english(language)


def read(path: Path) -> list[Question]:
    """Read questions from a file. Raises `InvalidFile` with the line number, or if it has none."""
    return _parse(read_lines(path), path)


def parse(document: str, path: Path) -> list[Question]:
    """Parse the questions of a document from `path`."""
    return _parse(enumerate(document.split("\n"), 1), path)


def _parse(lines: Iterable[tuple[int, str]], path: Path) -> list[Question]:
    questions = []
    for number, line in lines:
        if line.strip() and not line.startswith("#"):
            columns = line.split("\t")
            if len(columns) < 3 or not columns[1].strip() or not columns[2].strip():
                raise InvalidFile(
                    path, "requires context, good word and bad word, separated by tabs", number
                )
            questions.append(Question(*columns[:3]))
    if not questions:
        raise empty(path, "question")
    return questions


def ask(model: LanguageModel, questions: Sequence[Question]) -> list[Answered]:
    """Run all questions. Words are compared by their log-probability after the context."""

    def score(question: Question) -> "Future[ScoreResult]":
        words = [question.good, question.bad]
        return model.submit_score(question.context, words, count_eos=False)

    def predict(question: Question) -> "Future[PredictionResult]":
        return model.submit_predict(Query(question.context, options=Options(max_suggestions=_TOP)))

    scored, predicted = list(in_order(questions, score)), list(in_order(questions, predict))
    return [
        Answered(
            question,
            scores.candidates[0].log_prob,
            scores.candidates[1].log_prob,
            [normalise(suggestion.text) for suggestion in prediction.suggestions],
        )
        for (question, scores), (_, prediction) in zip(scored, predicted, strict=True)
    ]
