"""Keystroke savings of a simulated user who accepts a suggestion as soon as it is offered.

Before each key of a word, the user requests suggestions for the message so far. If they contain the
word, the user accepts it with one key, which also inserts the following space. Everything else is
typed. Keystroke savings are 1 - (keys typed + selections) / characters of the message (Trnka and
McCoy 2008, "Evaluating word prediction: framing keystroke savings").
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.engine.results import LanguageModel
from wordgate.errors import empty
from wordgate.offline.lines import read_lines
from wordgate.offline.pipelining import DEFAULT_IN_FLIGHT
from wordgate.text import words
from wordgate.text.cooperative_steps import finish
from wordgate.text.normalization import normalising_with_offsets

LETTERS = 4
"""Recall is reported after 0, 1, 2 and 3 letters."""

_RANKS = (1, 3)


@dataclass
class Savings:
    """Counts over messages.

    `keys` counts typed keys and selections; `keys_ignoring_case` also lets the user accept a
    suggestion in a different case. `found[k][n]` counts the words that were among the first k
    suggestions, ignoring case, after at most n letters. `typed[n]` counts the words of more than n
    letters.
    """

    characters: int = 0
    keys: int = 0
    keys_ignoring_case: int = 0
    words: int = 0
    before_first_letter: int = 0
    found: dict[int, list[int]] = field(
        default_factory=lambda: {rank: [0] * LETTERS for rank in _RANKS}
    )
    typed: list[int] = field(default_factory=lambda: [0] * LETTERS)

    @property
    def rate(self) -> float:
        """Keystroke savings, case-sensitive."""
        return 1 - self.keys / self.characters

    @property
    def rate_ignoring_case(self) -> float:
        """Keystroke savings, ignoring case."""
        return 1 - self.keys_ignoring_case / self.characters

    def recall(self, rank: int) -> list[float]:
        """Return the share of words in the top `rank` after 0, 1, 2 and 3 letters."""
        pairs = zip(self.found[rank], self.typed, strict=True)
        return [found / max(1, typed) for found, typed in pairs]


Typing = Generator[Query, PredictionResult, None]


def measure_file(model: LanguageModel, path: Path, options: Options) -> Savings:
    """Measure a file, one message per line. Raises `InvalidFile` if there are none."""
    return measure(model, read_messages(path), options)


def read_messages(path: Path) -> list[str]:
    """Read the messages of a file, one per line. Raises `InvalidFile` if there are none."""
    messages = [line for _, line in read_lines(path) if line.strip()]
    if not messages:
        raise empty(path, "message")
    return messages


def measure(model: LanguageModel, messages: Iterable[str], options: Options) -> Savings:
    """Measure messages concurrently, with these suggestion options."""
    savings = Savings()
    _type_all(model, (type_message(each, options, savings) for each in messages))
    return savings


def measure_each(model: LanguageModel, messages: Sequence[str], options: Options) -> list[Savings]:
    """Measure each message on its own, concurrently."""
    savings = [Savings() for _ in messages]
    pairs = zip(messages, savings, strict=True)
    _type_all(model, (type_message(message, options, own) for message, own in pairs))
    return savings


def type_message(message: str, options: Options, savings: Savings) -> Typing:
    """Type one message, yielding a query before each key of a word; count in `savings`."""
    savings.characters += len(message)
    spans = dict(word_spans(message))
    place = 0
    exact_place = any_place = 0  # behind a space that a selection inserted, no key is needed
    while place < len(message):
        if place not in spans:
            savings.keys += place >= exact_place
            savings.keys_ignoring_case += place >= any_place
            place += 1
            continue
        word = message[place : spans[place]]
        exact, ignoring = yield from _type_word(message[:place], word, options, savings)
        place = spans[place]
        brings_space = message[place : place + 1] == " "
        savings.keys += exact[0]
        savings.keys_ignoring_case += ignoring[0]
        exact_place = place + (brings_space and exact[1])
        any_place = place + (brings_space and ignoring[1])


def word_spans(message: str) -> list[tuple[int, int]]:
    """Return the words of a message, without punctuation, as spans [start, end)."""
    normal = finish(normalising_with_offsets(message))
    spans: list[tuple[int, int]] = []
    for first, after in words.spans(normal.text):
        start, end = normal.starts[first], normal.ends[after - 1]
        is_behind = not spans or start >= spans[-1][1]  # ½ is one character of two words
        if is_behind and not words.is_punctuation(normal.text[first:after]):
            spans.append((start, end))
    return spans


_Taken = tuple[int, bool]
"""Keys for a word, and whether it was accepted from the suggestions."""


def _type_word(
    past: str, word: str, options: Options, savings: Savings
) -> Generator[Query, PredictionResult, tuple[_Taken, _Taken]]:
    """Type one word; return its keys, case-sensitive and ignoring case."""
    exact = ignoring = len(word), False
    lower = word.lower()
    first_rank: dict[int, int] = {}
    for typed in range(len(word)):
        if exact[1] and typed >= LETTERS:
            break
        answer = yield Query(past, word[:typed], options)
        shown = [suggestion.text for suggestion in answer.suggestions]
        folded = [text.lower() for text in shown]
        if lower in folded:
            first_rank[typed] = folded.index(lower) + 1
            ignoring = ignoring if ignoring[1] else (typed + 1, True)
        if word in shown and not exact[1]:
            exact = typed + 1, True
    savings.words += 1
    savings.before_first_letter += exact == (1, True)
    _count_recall(first_rank, len(word), savings)
    return exact, ignoring


def _count_recall(ranks: dict[int, int], length: int, savings: Savings) -> None:
    """Count recall; a word in the top k after n letters also counts for more letters."""
    for letters in range(min(LETTERS, length)):
        savings.typed[letters] += 1
        best = min((rank for typed, rank in ranks.items() if typed <= letters), default=None)
        for rank in _RANKS:
            savings.found[rank][letters] += best is not None and best <= rank


def _type_all(model: LanguageModel, typings: Iterator[Typing]) -> None:
    """Type all messages, with up to 64 in progress: each answer decides the next query."""
    waiting: deque[tuple[Typing, Future[PredictionResult]]] = deque()

    def proceed(typing: Typing, answer: Any) -> None:
        with suppress(StopIteration):
            waiting.append((typing, model.submit_predict(typing.send(answer))))

    try:
        while True:
            while len(waiting) < DEFAULT_IN_FLIGHT and (begun := next(typings, None)):
                proceed(begun, None)
            if not waiting:
                return
            typing, question = waiting.popleft()
            proceed(typing, question.result())
    finally:
        for _, question in waiting:
            question.cancel()
