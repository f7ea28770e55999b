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
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.engine.results import LanguageModel
from wordgate.evaluation.keystroke_savings import read_messages, word_spans
from wordgate.offline.pipelining import in_order
from wordgate.text.typo_model import typos_of

_MIN_LETTERS = 3


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
class _Typo:
    history: str
    word: str
    typed: str


def measure_file(model: LanguageModel, path: Path, seed: int = 1) -> Corrections:
    """Measure a file, one message per line. Raises `InvalidFile` if there are none."""
    typos = list(_typos(read_messages(path), random.Random(seed)))
    corrections = Corrections(words=len(typos))
    for typo, answer in in_order(typos, lambda typo: _ask(model, typo.history, typo.typed)):
        texts = [suggestion.text.lower() for suggestion in answer.suggestions]
        corrections.put_right += texts[:1] == [typo.word.lower()]
        corrections.offered += typo.word.lower() in texts
        corrections.changed += bool(texts)
    for _, answer in in_order(typos, lambda typo: _ask(model, typo.history, typo.word)):
        corrections.spoilt += bool(answer.suggestions)
    return corrections


def _typos(messages: list[str], chance: random.Random) -> Iterator[_Typo]:
    for message in messages:
        for start, end in word_spans(message):
            word = message[start:end]
            if len(word) < _MIN_LETTERS or not word.replace("'", "").isalpha():
                continue
            weights = typos_of(word.lower())
            [typed] = chance.choices(list(weights), list(weights.values()))
            yield _Typo(message[:start], word, typed)


def _ask(model: LanguageModel, history: str, word: str) -> "Future[PredictionResult]":
    return model.submit_predict(Query(history, word, Options(max_suggestions=3), True))
