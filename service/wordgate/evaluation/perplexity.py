"""Perplexity of a model on a text, and top-1 and top-3 accuracy of next-word prediction."""

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.engine.results import LanguageModel, ScoreResult
from wordgate.errors import InvalidFile, InvalidInput, empty
from wordgate.lm.context_window import ANCHOR_WORDS, latest_start
from wordgate.offline.lines import read_lines
from wordgate.offline.pipelining import in_order, in_turn
from wordgate.scoring.scoring import MAX_CANDIDATE_TOKENS
from wordgate.text import words
from wordgate.text.normalization import normalise

TOP = 3
_MAX_WHOLE_CHARACTERS = 16_384
"""Longer texts are scored in segments."""

_STRETCH_BYTES = MAX_CANDIDATE_TOKENS
"""A token has at least one byte, so a segment has no more tokens than bytes."""

_WORDS_BEFORE = ANCHOR_WORDS
_OPTIONS = Options(max_suggestions=TOP)
_MAX_SURPRISAL = 700.0
"""Nats per word beyond which exp overflows a float."""


@dataclass(frozen=True)
class Perplexity:
    """Figures of a text in which each line is a separate text.

    `word_perplexity` is exp(-log-probability / words), with `<eos>` in the log-probability.
    `token_perplexity` and `character_perplexity` are the same per token and per character, and
    `bits_per_byte` is the base-2 logarithm per byte of UTF-8; in all three, `<eos>` counts as one
    unit. Characters and bytes are those of the measured text, so these two figures are comparable
    across languages and tokenizers. `top1` and `top3` are the shares of words, without punctuation,
    that were the first or among the first three predictions; None if not measured.
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
class Surprisal:
    """Log-probability of one or more texts, and their sizes.

    Each `<eos>` counts as a token, a character and a byte. Words, characters and bytes are those of
    the text, whatever the model's tokenizer.
    """

    log_prob: float = 0.0
    words: int = 0
    tokens: int = 0
    characters: int = 0
    bytes: int = 0

    def add_text(self, text: str) -> None:
        """Count the characters and bytes of a text."""
        self.characters += len(text) + 1
        self.bytes += len(text.encode("utf-8")) + 1

    def add_score(self, answer: ScoreResult) -> None:
        """Count the score of a single candidate."""
        [candidate] = answer.candidates
        self.log_prob += candidate.log_prob
        self.words += candidate.word_count
        self.tokens += candidate.token_count + answer.counted_eos


def total(parts: Iterable[Surprisal]) -> Surprisal:
    """Return the sums over texts."""
    sums = Surprisal()
    for part in parts:
        sums.log_prob += part.log_prob
        sums.words += part.words
        sums.tokens += part.tokens
        sums.characters += part.characters
        sums.bytes += part.bytes
    return sums


_Numbered = tuple[int, str]
"""A text with the number of its line."""


def evaluate_file(
    model: LanguageModel, path: Path, keep_punctuation: bool = True, count_hits: bool = True
) -> Perplexity:
    """Measure a model on the lines of a file, plain, .gz or .xz.

    Raises `InvalidFile` with the line number if a line cannot be read.
    """
    lines = [line for _, line in read_lines(path)]
    return evaluate(model, lines, keep_punctuation, path, count_hits)


def evaluate(
    model: LanguageModel,
    lines: Sequence[str],
    keep_punctuation: bool = True,
    path: Path = Path("text"),
    count_hits: bool = True,
) -> Perplexity:
    """Measure a model on lines of text from `path`. Lines without words are skipped.

    A line that is too long for one candidate is scored in segments of at most 4,096 bytes of its
    normal form, each after the preceding 128 words. Without `count_hits`, `top1` and `top3` are
    not measured; they take most of the time.

    Raises `InvalidFile` with the line number if the model rejects a line, or if no line contains a
    word.
    """
    texts = _texts(lines, keep_punctuation, path)
    totals = total(_surprisals(model, texts, path))
    hits = list(_hits(model, [text for _, text in texts])) if count_hits else []
    counted = max(len(hits), 1)
    return Perplexity(
        word_perplexity=perplexity_of(-totals.log_prob, totals.words),
        token_perplexity=perplexity_of(-totals.log_prob, totals.tokens),
        character_perplexity=perplexity_of(-totals.log_prob, totals.characters),
        bits_per_byte=-totals.log_prob / math.log(2) / totals.bytes,
        top1=sum(rank == 0 for rank in hits) / counted if count_hits else None,
        top3=sum(rank is not None for rank in hits) / counted if count_hits else None,
        words=totals.words,
        tokens=totals.tokens,
        characters=totals.characters,
        bytes=totals.bytes,
    )


def surprisals(
    model: LanguageModel,
    lines: Sequence[str],
    keep_punctuation: bool = True,
    path: Path = Path("text"),
) -> list[Surprisal]:
    """Return the surprisal of each line that contains a word. Raises as `evaluate` does."""
    return list(_surprisals(model, _texts(lines, keep_punctuation, path), path))


def perplexity_of(surprisal: float, count: int) -> float:
    """Return the perplexity for `count` units with a total surprisal in nats; nan for 0 units."""
    return math.exp(min(surprisal / count, _MAX_SURPRISAL)) if count else math.nan


def _text(line: str, keep_punctuation: bool) -> str:
    """Return the part of a line to measure; empty if it contains no word."""
    text_words = words.split(normalise(line))
    if keep_punctuation:
        return line.strip() if text_words else ""
    return " ".join(word for word in text_words if not words.is_punctuation(word))


def _texts(lines: Sequence[str], keep_punctuation: bool, path: Path) -> list[_Numbered]:
    """Return the lines with words. Raises `InvalidFile` if there are none."""
    numbered = ((number, _text(line, keep_punctuation)) for number, line in enumerate(lines, 1))
    texts = [(number, text) for number, text in numbered if text]
    if not texts:
        raise empty(path, "word")
    return texts


def _surprisals(
    model: LanguageModel, texts: Sequence[_Numbered], path: Path
) -> Iterator[Surprisal]:
    """Yield the surprisal of each text."""

    def submit(numbered: _Numbered) -> "Future[ScoreResult]":
        return model.submit_score("", [numbered[1]]) if _is_whole(numbered[1]) else Future()

    with closing(in_turn(texts, submit)) as answers:
        for (number, text), question in answers:
            found = Surprisal()
            try:
                if not (_is_whole(text) and _add_whole(found, question, text)):
                    _add_stretches(model, text, found)
            except InvalidInput as error:
                raise InvalidFile(path, error.problem, number) from None
            found.add_text(text)
            yield found


def _is_whole(text: str) -> bool:
    return len(text) <= _MAX_WHOLE_CHARACTERS


def _add_whole(found: Surprisal, question: "Future[ScoreResult]", text: str) -> bool:
    """Add the score of a whole text; return False if the text was too long."""
    try:
        found.add_score(question.result())
    except InvalidInput:
        if len(text.encode("utf-8")) <= _STRETCH_BYTES:
            raise
        return False
    return True


def _add_stretches(model: LanguageModel, text: str, found: Surprisal) -> None:
    """Add the scores of a text's segments, each after the words before it."""
    normal = normalise(text)
    spans = words.spans(normal)

    def submit(stretch: tuple[int, int]) -> "Future[ScoreResult]":
        first, after = stretch
        start = spans[first][0]
        history = normal[spans[max(0, first - _WORDS_BEFORE)][0] : start]
        is_last = after == len(spans)
        return model.submit_score(history, [normal[start : spans[after - 1][1]]], is_last)

    for _, answer in in_order(_stretches(normal, spans), submit):
        found.add_score(answer)


def _stretches(normal: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Split words into segments [first, after) of bounded size in bytes, and so in tokens."""
    first = length = 0
    for place, (start, end) in enumerate(spans):
        size = len(normal[start:end].encode("utf-8"))
        if length + size > _STRETCH_BYTES:
            yield first, place
            first, length = place, 0
        length += size
    yield first, len(spans)


def _hits(model: LanguageModel, texts: Sequence[str]) -> Iterator[int | None]:
    """Yield each word's rank in the prediction before it, or None; skip punctuation."""

    def submit(place: tuple[str, str]) -> "Future[PredictionResult]":
        return model.submit_predict(Query(place[0], options=_OPTIONS))

    for (_, word), answer in in_order(_words_with_histories(texts), submit):
        suggested = [normalise(suggestion.text) for suggestion in answer.suggestions]
        yield suggested.index(word) if word in suggested else None


def _words_with_histories(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        normal = normalise(text)
        spans = words.spans(normal)
        for number, (start, end) in enumerate(spans):
            word = normal[start:end]
            if not words.is_punctuation(word):
                first, _ = spans[latest_start(number)]  # the model reads nothing before it
                yield normal[first:start], word
