"""Keys that people press: which, and how long after the one before.

Knows messages and a generator of random numbers; does not know who is asked for suggestions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import count
from math import log
from pathlib import Path
from random import Random

from wordgate.errors import empty
from wordgate.evaluation.cloze import own_questions
from wordgate.offline.lines import read_lines

SLIP_SHARE = 0.04
"""One letter in so many is typed wrong, seen and taken back: 2 keys more."""

GAP_SPREAD = 0.5
"""Standard deviation of a gap's logarithm: 95 % are between 0.38 and 2.7 times the middle one."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Action(Enum):
    """What a key does to the text."""

    BEGIN = "begin"
    INSERT = "insert"
    BACKSPACE = "backspace"


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `text` is what it inserts, or what the text is from then on (`BEGIN`)."""

    action: Action
    text: str = ""


def typed_messages(path: Path | None) -> list[str]:
    """Messages, one a line; without a file the package's fifty questions with their answers.

    Raises `InvalidFile` when there are none.
    """
    if path is None:
        return [f"{question.context} {question.good}" for question in own_questions()]
    messages = [line for _, line in read_lines(path) if line.strip()]
    if not messages:
        raise empty(path, "message")
    return messages


def keys_of(messages: Sequence[str], typist: int, random: Random) -> Iterator[Key]:
    """What one typist types, without end: the messages in an order of their own, key by key.

    Each stands behind a number that no other has, which a key brings at once (as when a chat is
    opened): so nobody finds in the server's cache what another one typed.
    """
    for number in count(1):
        yield Key(Action.BEGIN, f"{typist} {number} ")
        for letter in random.choice(messages):
            if random.random() < SLIP_SHARE:
                yield Key(Action.INSERT, random.choice(_LETTERS))
                yield Key(Action.BACKSPACE)
            yield Key(Action.INSERT, letter)


def gaps_of(middle_seconds: float, random: Random) -> Iterator[float]:
    """Seconds between keys, log-normal around their median."""
    while True:
        yield random.lognormvariate(log(middle_seconds), GAP_SPREAD)
