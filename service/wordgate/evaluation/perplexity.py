"""How surprised a model is by a text, and how often it knows the next word.

Knows words and how a model is asked; does not know where the model runs.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.engine.results import LanguageModel, PredictionResult, ScoreResult
from wordgate.errors import InvalidFile, InvalidInput, empty
from wordgate.lm.context_window import ANCHOR_WORDS, latest_start
from wordgate.offline.lines import read_lines
from wordgate.offline.pipelining import in_order, in_turn
from wordgate.scoring.scoring import MAX_CANDIDATE_TOKENS
from wordgate.text import words
from wordgate.text.normalization import normalise

TOP = 3
_MAX_WHOLE_CHARACTERS = 16_384
"""Longer texts are not scored as one candidate."""

_STRETCH_BYTES = MAX_CANDIDATE_TOKENS
"""A piece has a byte or more."""

_WORDS_BEFORE = ANCHOR_WORDS
_OPTIONS = Options(max_suggestions=TOP)
_MOST_SURPRISE = 700.0
"""Nats a word, beyond which a perplexity is a number that no program can hold."""


@dataclass(frozen=True)
class Perplexity:
    """Figures of a text, each line a text of its own, read from its beginning.

    `word_perplexity` = exp(-log-probability, `<eos>` included, / words); `token_perplexity` and
    `character_perplexity` the same per piece and per character, `<eos>` counted as one, and
    `bits_per_byte` the logarithm to base 2 per byte of UTF-8, `<eos>` counted as one. Characters
    and bytes are those of the text as it was measured, so these two compare across languages and
    tokenizers. `top1` and `top3`: share of the words, punctuation not counted, that were the
    likeliest or among the three likeliest next words; None where they were not asked for.
    """

    word_perplexity: float
    token_perplexity: float
    character_perplexity: float
    bits_per_byte: float
    top1: float | None
    top3: float | None
    words: int
    tokens: int
    characters: int
    bytes: int


@dataclass
class _Surprise:
    """Sums over texts; each `<eos>` counts as a piece, a character and a byte."""

    log_prob: float = 0.0
    words: int = 0
    tokens: int = 0
    characters: int = 0
    bytes: int = 0

    def add_text(self, text: str) -> None:
        """Count what is written."""
        self.characters += len(text) + 1
        self.bytes += len(text.encode("utf-8")) + 1

    def add_score(self, answer: ScoreResult) -> None:
        """Count an answer about one candidate."""
        [candidate] = answer.candidates
        self.log_prob += candidate.log_prob
        self.words += candidate.word_count
        self.tokens += candidate.token_count + answer.counted_eos


_Numbered = tuple[int, str]
"""A text with the number of its line."""


def evaluate_file(
    asked: LanguageModel, path: Path, keep_punctuation: bool = True, count_hits: bool = True
) -> Perplexity:
    """Measure a model on the lines of a file, plain, .gz or .xz.

    Raises `InvalidFile` with a line that cannot be read.
    """
    lines = [line for _, line in read_lines(path)]
    return evaluate(asked, lines, keep_punctuation, path, count_hits)


def evaluate(
    asked: LanguageModel,
    lines: Sequence[str],
    keep_punctuation: bool = True,
    path: Path = Path("text"),
    count_hits: bool = True,
) -> Perplexity:
    """Measure a model on lines of text, which came from `path`. Lines without words are left out.

    A line that is too long for one candidate is scored in stretches of 4,096 bytes of its normal
    form or less, each after the 128 words before it. Without `count_hits`, `top1` and `top3` are
    left out: they take most of the time.

    Raises `InvalidFile` with a line that the model refuses, or when there is no word
    in them at all.
    """
    numbered = ((number, _text(line, keep_punctuation)) for number, line in enumerate(lines, 1))
    texts = [(number, text) for number, text in numbered if text]
    if not texts:
        raise empty(path, "word")
    found = _surprise(asked, texts, path)
    hits = list(_hits(asked, [text for _, text in texts])) if count_hits else []
    counted = max(len(hits), 1)
    return Perplexity(
        word_perplexity=perplexity_of(-found.log_prob, found.words),
        token_perplexity=perplexity_of(-found.log_prob, found.tokens),
        character_perplexity=perplexity_of(-found.log_prob, found.characters),
        bits_per_byte=-found.log_prob / math.log(2) / found.bytes,
        top1=sum(rank == 0 for rank in hits) / counted if count_hits else None,
        top3=sum(rank is not None for rank in hits) / counted if count_hits else None,
        words=found.words,
        tokens=found.tokens,
        characters=found.characters,
        bytes=found.bytes,
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


def _surprise(asked: LanguageModel, texts: Sequence[_Numbered], path: Path) -> _Surprise:
    """What the model thinks of all texts together."""
    found = _Surprise()
    whole = [(number, text) for number, text in texts if len(text) <= _MAX_WHOLE_CHARACTERS]
    answers = in_turn(asked.submit_score("", [text]) for _, text in whole)
    with closing(answers):
        for number, text in texts:
            try:
                is_whole = len(text) <= _MAX_WHOLE_CHARACTERS
                if not (is_whole and _add_whole(found, next(answers), text)):
                    _add_stretches(asked, text, found)
            except InvalidInput as error:
                raise InvalidFile(path, error.problem, number) from None
            found.add_text(text)
    return found


def _add_whole(found: _Surprise, question: "Future[ScoreResult]", text: str) -> bool:
    """Add the answer about a whole text, unless the text was too long for it."""
    try:
        found.add_score(question.result())
    except InvalidInput:
        if len(text.encode("utf-8")) <= _STRETCH_BYTES:
            raise
        return False
    return True


def _add_stretches(asked: LanguageModel, text: str, found: _Surprise) -> None:
    """Add the answers about a text in stretches, each after the words before it."""
    normal = normalise(text)
    spans = words.spans(normal)
    stretches = list(_stretches(normal, spans))

    def questions() -> Iterator["Future[ScoreResult]"]:
        for first, after in stretches:
            start = spans[first][0]
            history = normal[spans[max(0, first - _WORDS_BEFORE)][0] : start]
            is_last = after == len(spans)
            yield asked.submit_score(history, [normal[start : spans[after - 1][1]]], is_last)

    for answer in in_order(questions()):
        found.add_score(answer)


def _stretches(normal: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Cut words into runs [first, after) that have a bounded number of bytes: no more pieces."""
    first = length = 0
    for place, (start, end) in enumerate(spans):
        size = len(normal[start:end].encode("utf-8"))
        if length + size > _STRETCH_BYTES:
            yield first, place
            first, length = place, 0
        length += size
    yield first, len(spans)


def _hits(asked: LanguageModel, texts: Sequence[str]) -> Iterator[int | None]:
    """The rank of every word but punctuation among the suggestions before it, None if not there."""
    wanted: list[str] = []

    def questions() -> Iterator["Future[PredictionResult]"]:
        for text in texts:
            normal = normalise(text)
            spans = words.spans(normal)
            for number, (start, end) in enumerate(spans):
                word = normal[start:end]
                if not words.is_punctuation(word):
                    wanted.append(word)
                    first, _ = spans[latest_start(number)]  # nothing before it is read
                    yield asked.submit_predict(Query(normal[first:start], options=_OPTIONS))

    for number, answer in enumerate(in_order(questions())):
        suggested = [normalise(suggestion.text) for suggestion in answer.suggestions]
        yield suggested.index(wanted[number]) if wanted[number] in suggested else None
