"""Keystroke savings: how many keys a person saves who takes a suggestion as soon as it is there.

Knows messages, suggestions and how to count; does not know where a model runs. The rule: before
each key of a word the system is asked for suggestions from the message so far; if the word is among
them it is taken at once, for one key, which brings the word and the space after it. All else is
typed by hand. Savings are 1 - (keys typed + selections) / characters of the message (keystroke
savings rate; Trnka and McCoy 2008, "Evaluating word prediction: framing keystroke savings").
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.engine.results import LanguageModel, PredictionResult
from wordgate.errors import empty
from wordgate.offline.lines import read_lines
from wordgate.text import words
from wordgate.text.normalization import normalising_with_offsets
from wordgate.text.steps import finish

LETTERS = 4
"""Recall is told after 0, 1, 2 and 3 letters."""

_RANKS = (1, 3)
_UNDER_WAY = 64


@dataclass
class Savings:
    """Counts over messages.

    `keys` are those typed and selections, `keys_ignoring_case` the same when a suggestion in
    another case is taken too. `found[k][n]` counts the words that were among the first k
    suggestions, in any case, after n letters or fewer; `typed[n]` the words of more than n letters.
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
        """Share of the keys that is saved, the case of the file asked for."""
        return 1 - self.keys / self.characters

    @property
    def rate_ignoring_case(self) -> float:
        """The same when any case will do."""
        return 1 - self.keys_ignoring_case / self.characters

    def recall(self, rank: int) -> list[float]:
        """The share of words among the first `rank` suggestions after 0, 1, 2 and 3 letters."""
        pairs = zip(self.found[rank], self.typed, strict=True)
        return [found / max(1, typed) for found, typed in pairs]


Typing = Generator[Query, PredictionResult, None]


def measure_file(asked: LanguageModel, path: Path, options: Options) -> Savings:
    """Type the messages of a file, one a line. Raises `InvalidFile` when there are none."""
    return measure(asked, read_messages(path), options)


def read_messages(path: Path) -> list[str]:
    """The messages of a file, one a line. Raises `InvalidFile` when there are none."""
    messages = [line for _, line in read_lines(path) if line.strip()]
    if not messages:
        raise empty(path, "message")
    return messages


def measure(asked: LanguageModel, messages: Iterable[str], options: Options) -> Savings:
    """Type messages, many at once, with such suggestions at every key."""
    savings = Savings()
    _type_all(asked, (type_message(each, options, savings) for each in messages))
    return savings


def type_message(message: str, options: Options, savings: Savings) -> Typing:
    """Type one message, asking before each key of a word; what it takes is added to `savings`."""
    savings.characters += len(message)
    spans = dict(word_spans(message))
    place = 0
    exact_place = any_place = 0  # behind a space that a selection brought, no key is needed
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
    """The words of a message but punctuation (`text.words`), as stretches [start, end) of it."""
    normal = finish(normalising_with_offsets(message))
    found: list[tuple[int, int]] = []
    for first, after in words.spans(normal.text):
        start, end = normal.starts[first], normal.ends[after - 1]
        is_behind = not found or start >= found[-1][1]  # ½ is one character of two words
        if is_behind and not words.is_punctuation(normal.text[first:after]):
            found.append((start, end))
    return found


_Taken = tuple[int, bool]
"""Keys for a word, and whether it was taken from the suggestions."""


def _type_word(
    past: str, word: str, options: Options, savings: Savings
) -> Generator[Query, PredictionResult, tuple[_Taken, _Taken]]:
    """Keys for a word: in the case of the file, and in any case."""
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
    """A word that was among the first k stays there with each further letter."""
    for letters in range(min(LETTERS, length)):
        savings.typed[letters] += 1
        best = min((rank for typed, rank in ranks.items() if typed <= letters), default=None)
        for rank in _RANKS:
            savings.found[rank][letters] += best is not None and best <= rank


def _type_all(asked: LanguageModel, typings: Iterator[Typing]) -> None:
    """Have all messages typed, a number of them at once."""
    waiting: deque[tuple[Typing, Future[PredictionResult]]] = deque()
    try:
        for typing in typings:
            _go_on(asked, typing, None, waiting)
            while len(waiting) >= _UNDER_WAY:
                _answer_first(asked, waiting)
        while waiting:
            _answer_first(asked, waiting)
    finally:
        for _, question in waiting:
            question.cancel()


_Waiting = deque[tuple[Typing, "Future[PredictionResult]"]]


def _answer_first(asked: LanguageModel, waiting: _Waiting) -> None:
    typing, question = waiting.popleft()
    _go_on(asked, typing, question.result(), waiting)


def _go_on(
    asked: LanguageModel, typing: Typing, answer: PredictionResult | None, waiting: _Waiting
) -> None:
    try:
        query = next(typing) if answer is None else typing.send(answer)
    except StopIteration:
        return
    waiting.append((typing, asked.submit_predict(query)))
