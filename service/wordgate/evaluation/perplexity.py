"""How surprised a model is by a text, and how often it knows the next word.

Knows words and how a model is asked; does not know where the model runs.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from wordgate.core import words
from wordgate.core.options import Options
from wordgate.core.prediction import Query
from wordgate.core.text import normalise
from wordgate.engine.answers import Asked, PredictionAnswer, ScoreAnswer
from wordgate.errors import InvalidFile, InvalidInput, empty
from wordgate.evaluation.in_flight import in_order
from wordgate.evaluation.lines import read_lines

TOP = 3
_OPTIONS = Options(max_suggestions=TOP)
_MOST_SURPRISE = 700.0
"""Nats a word, beyond which a perplexity is a number that no program can hold."""


@dataclass(frozen=True)
class Perplexity:
    """Figures of a text, each line a text of its own, read from its beginning.

    `word_perplexity` = exp(-log-probability, `<eos>` included, / words); `token_perplexity` the
    same per piece, `<eos>` counted as one. `top1` and `top3`: share of the words, punctuation not
    counted, that were the likeliest or among the three likeliest next words.
    """

    word_perplexity: float
    token_perplexity: float
    top1: float
    top3: float
    words: int
    tokens: int


_Numbered = tuple[int, str]
"""A text with the number of its line."""


def evaluate_file(asked: Asked, path: Path, keep_punctuation: bool = True) -> Perplexity:
    """Measure a model on the lines of a file, plain, .gz or .xz.

    Raises `InvalidFile` with the line that cannot be read or is too long for the model.
    """
    return evaluate(asked, [line for _, line in read_lines(path)], keep_punctuation, path)


def evaluate(
    asked: Asked, lines: Sequence[str], keep_punctuation: bool = True, path: Path = Path("text")
) -> Perplexity:
    """Measure a model on lines of text, which came from `path`. Lines without words are left out.

    Raises `InvalidFile` with a line that the model refuses, or when there is no word
    in them at all.
    """
    numbered = ((number, _text(line, keep_punctuation)) for number, line in enumerate(lines, 1))
    texts = [(number, text) for number, text in numbered if text]
    if not texts:
        raise empty(path, "word")
    log_prob, word_count, token_count = _surprise(asked, texts, path)
    hits = list(_hits(asked, [text for _, text in texts]))
    counted = max(len(hits), 1)
    return Perplexity(
        word_perplexity=perplexity_of(-log_prob, word_count),
        token_perplexity=perplexity_of(-log_prob, token_count),
        top1=sum(rank == 0 for rank in hits) / counted,
        top3=sum(rank is not None for rank in hits) / counted,
        words=word_count,
        tokens=token_count,
    )


def perplexity_of(surprise: float, count: int) -> float:
    """Perplexity of so many words or pieces with this summed surprise in nats; nan for none."""
    return math.exp(min(surprise / count, _MOST_SURPRISE)) if count else math.nan


def _text(line: str, keep_punctuation: bool) -> str:
    """What of a line is measured: nothing when there is no word in it."""
    found = words.split(normalise(line))
    if keep_punctuation:
        return line.strip() if found else ""
    return " ".join(word for word in found if not words.is_punctuation(word))


def _surprise(asked: Asked, texts: Sequence[_Numbered], path: Path) -> tuple[float, int, int]:
    """Log-probability, words and pieces (each `<eos>` counted) of all texts together."""
    log_prob, word_count, token_count = 0.0, 0, 0
    for answer in _scores(asked, texts, path):
        [candidate] = answer.candidates
        log_prob += candidate.log_prob
        word_count += candidate.word_count
        token_count += candidate.token_count + 1
    return log_prob, word_count, token_count


def _scores(asked: Asked, texts: Sequence[_Numbered], path: Path) -> Iterator[ScoreAnswer]:
    answers = in_order(asked.ask_score("", [text]) for _, text in texts)
    for number, _ in texts:
        try:
            yield next(answers)
        except InvalidInput as error:
            raise InvalidFile(path, error.problem, number) from None


def _hits(asked: Asked, texts: Sequence[str]) -> Iterator[int | None]:
    """The rank of every word but punctuation among the suggestions before it, None if not there."""
    wanted: list[str] = []

    def questions() -> Iterator["Future[PredictionAnswer]"]:
        for text in texts:
            normal = normalise(text)
            for start, end in words.spans(normal):
                word = normal[start:end]
                if not words.is_punctuation(word):
                    wanted.append(word)
                    yield asked.ask_predict(Query(normal[:start], options=_OPTIONS))

    for number, answer in enumerate(in_order(questions())):
        suggested = [normalise(suggestion.text) for suggestion in answer.suggestions]
        yield suggested.index(wanted[number]) if wanted[number] in suggested else None
