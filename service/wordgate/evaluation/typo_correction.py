"""Typo correction: share of typos corrected, and of correct words wrongly changed.

The error model (`text.typo_model`) generates one typo per word of three letters or more, from a
seed. Corrections are requested for each complete word, after the correctly spelled history.
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
    """Counts of words, ignoring case.

    `put_right`: typos whose first correction is the intended word. `offered`: typos with the
    intended word in the first three corrections. `changed`: typos with any correction. `spoilt`:
    correctly typed words with any correction.
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
    """Measure a file, one message per line. Raises `InvalidFile` if there are none."""
    slips = list(_slips(read_messages(path), random.Random(seed)))
    found = Corrections(words=len(slips))
    for slip, answer in in_order(slips, lambda slip: _ask(asked, slip.history, slip.typed)):
        texts = [suggestion.text.lower() for suggestion in answer.suggestions]
        found.put_right += texts[:1] == [slip.word.lower()]
        found.offered += slip.word.lower() in texts
        found.changed += bool(texts)
    for _, answer in in_order(slips, lambda slip: _ask(asked, slip.history, slip.word)):
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
