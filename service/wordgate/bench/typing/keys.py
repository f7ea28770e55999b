"""Simulate typists: key presses with typos, and the time between keys."""

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
"""Share of letters preceded by a typo that is corrected at once with backspace (2 more keys)."""

GAP_SPREAD = 0.5
"""Standard deviation of a gap's logarithm: 95 % are between 0.38 and 2.7 times the median."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Action(Enum):
    """Effect of a key on the text."""

    BEGIN = "begin"
    INSERT = "insert"
    BACKSPACE = "backspace"


@dataclass(frozen=True, slots=True)
class Key:
    """One key press. `text` is the inserted text, or the complete new text for `BEGIN`."""

    action: Action
    text: str = ""


def typed_messages(path: Path | None) -> list[str]:
    """Read messages, one per line; without a file, return the bundled fifty cloze questions.

    Raises `InvalidFile` if the file has no messages.
    """
    if path is None:
        return [f"{question.context} {question.good}" for question in own_questions()]
    messages = [line for _, line in read_lines(path) if line.strip()]
    if not messages:
        raise empty(path, "message")
    return messages


def keys_of(messages: Sequence[str], typist: int, random: Random) -> Iterator[Key]:
    """Yield the key presses of one typist without end: random messages, key by key.

    Each message follows a unique number, inserted with one key (like opening a chat), so that
    typists do not hit each other's entries in the server's cache.
    """
    for number in count(1):
        yield Key(Action.BEGIN, f"{typist} {number} ")
        for letter in random.choice(messages):
            if random.random() < SLIP_SHARE:
                yield Key(Action.INSERT, random.choice(_LETTERS))
                yield Key(Action.BACKSPACE)
            yield Key(Action.INSERT, letter)


def gaps_of(middle_seconds: float, random: Random) -> Iterator[float]:
    """Yield the seconds between keys, log-normal around the median."""
    while True:
        yield random.lognormvariate(log(middle_seconds), GAP_SPREAD)
