"""Decide the use of each passage: held out, training, split into sentences, or excluded.

Decisions depend on a hash of the passage's text only, so they are independent of its position, its
file and the other passages.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wordgate.offline.lines import read_lines
from wordgate.text import normalization as normal_form
from wordgate.text import words
from wordgate.training.data.masking import mask

_SENTENCE = re.compile(
    r".+?(?:[.!?…][\"')\]}’”]*(?=\s+[^a-z\s])|[。！？｡]+[\"')\]}’”」』）]*|$)", re.DOTALL
)
"""A sentence: up to a sentence-final mark. In scripts with spaces, white space must follow the mark
and the next character must not be a lower-case letter."""


@dataclass(frozen=True)
class Rules:
    """Rules for `sort_passage`. Shares are in [0, 1); `excluded` has phrases in normal form."""

    held_out_share: float = 0.0
    unpunctuated_share: float = 0.0
    sentences_share: float = 0.0
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passage:
    """The words of a passage in normal form, and whether it is held out from training."""

    words: list[str]
    is_held_out: bool


def sort_passage(text: str, rules: Rules) -> list[Passage]:
    """Return the passages made from `text`: one passage, one per sentence, or none.

    The text is masked first. Held-out passages are not split and keep their punctuation. A text
    with an excluded phrase is used neither for training nor for evaluation.
    """
    masked = mask(text)
    text_words = _words(masked)
    if rules.excluded and _contains(text_words, rules.excluded):
        return []
    if share_of(text, "held-out") < rules.held_out_share:
        return [Passage(text_words, is_held_out=True)] if text_words else []
    parts = [text_words]
    if share_of(text, "sentences") < rules.sentences_share:
        parts = [_words(sentence) for sentence in _SENTENCE.findall(masked)]
    if share_of(text, "punctuation") < rules.unpunctuated_share:
        parts = [[word for word in part if not words.is_punctuation(word)] for part in parts]
    return [Passage(part, is_held_out=False) for part in parts if part]


def _words(text: str) -> list[str]:
    return words.split(normal_form.normalise(text))


def share_of(text: str, purpose: str) -> float:
    """Return a pseudo-random number in [0, 1) that depends on `text` and `purpose` only."""
    digest = hashlib.blake2b(text.encode(), digest_size=8, person=purpose.encode()).digest()
    return int.from_bytes(digest, "big") / 2**64


def read_phrases(path: Path) -> list[str]:
    """Read the phrases to exclude from training, in normal form with single spaces.

    A line is a phrase, or a question: context, tab, answer (further columns are ignored). Empty
    lines and lines that begin with `#` are ignored. Raises `InvalidFile`.
    """
    lines = [line for _, line in read_lines(path)]
    columns = [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]
    return [phrase for line in columns if (phrase := _phrase(" ".join(line[:2])))]


def _phrase(text: str) -> str:
    return " ".join(words.split(normal_form.normalise(text)))


def _contains(text_words: list[str], phrases: Iterable[str]) -> bool:
    line = f" {' '.join(text_words)} "
    return any(phrase in line and f" {phrase} " in line for phrase in phrases)
