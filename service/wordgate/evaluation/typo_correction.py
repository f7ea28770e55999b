"""How well slips of the finger are put right, and how often right words are spoilt.

Knows messages, the error model and how to count; does not know where a model runs. Slips are made
by the error model itself (`text.typo_model`), one a word of three letters or more, from a seed;
each word is asked about as soon as it is finished, after the message as it was meant.
"""

import random
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.engine.results import LanguageModel, PredictionResult
from wordgate.evaluation.keystroke_savings import read_messages, word_spans
from wordgate.offline.pipelining import in_order
from wordgate.text.typo_model import typos_of

_LEAST_LETTERS = 3


@dataclass
class Corrections:
    """Counts of words, in any case.

    `put_right`: slips whose first correction is the word that was meant; `offered`: among the
    first three; `changed`: slips for which anything is offered; `spoilt`: the same of words typed
    right.
    """

    words: int = 0
    put_right: int = 0
    offered: int = 0
    changed: int = 0
    spoilt: int = 0


@dataclass(frozen=True)
class _Slip:
    history: str
    word: str
    typed: str


def measure_file(asked: LanguageModel, path: Path, seed: int = 1) -> Corrections:
    """Slip at each word of a file, a message a line. Raises `InvalidFile` for no message."""
    slips = list(_slips(read_messages(path), random.Random(seed)))
    found = Corrections(words=len(slips))
    wrong = in_order(_ask(asked, slip.history, slip.typed) for slip in slips)
    for slip, answer in zip(slips, wrong, strict=True):
        texts = [suggestion.text.lower() for suggestion in answer.suggestions]
        found.put_right += texts[:1] == [slip.word.lower()]
        found.offered += slip.word.lower() in texts
        found.changed += bool(texts)
    for answer in in_order(_ask(asked, slip.history, slip.word) for slip in slips):
        found.spoilt += bool(answer.suggestions)
    return found


def _slips(messages: list[str], chance: random.Random) -> Iterator[_Slip]:
    for message in messages:
        for start, end in word_spans(message):
            word = message[start:end]
            if len(word) < _LEAST_LETTERS or not word.replace("'", "").isalpha():
                continue
            weights = typos_of(word.lower())
            [typed] = chance.choices(list(weights), list(weights.values()))
            yield _Slip(message[:start], word, typed)


def _ask(asked: LanguageModel, history: str, word: str) -> "Future[PredictionResult]":
    return asked.submit_predict(Query(history, word, Options(max_suggestions=3), True))
