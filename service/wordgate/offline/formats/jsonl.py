"""Reader of hypotheses as JSON lines, one utterance per line.

    {"utt": "a-1", "reference": "the sun", "history": "under", "candidates": [
        {"text": "the son", "acoustic_log_prob": -20.5, "first_pass_lm_log_prob": -7.1}, …]}

Every numeric value of a candidate, or of its `scores`, is a score named by its key. `times` are
pairs of seconds, one pair per token separated by white space. `utt`, `reference`, `history` and
`times` are optional. Output of `wordgate rescore --json`, with a `ranking` in place of
`candidates`, is accepted too.
"""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from wordgate.errors import InvalidFile, InvalidInput
from wordgate.offline.lines import Watch, json_records, raw_lines, unwatched
from wordgate.offline.reading_report import Reading, rankable
from wordgate.offline.utterances import Utterance
from wordgate.scoring.hypothesis import Hypothesis, TimeSpan
from wordgate.text.normalization import require_unicode

_NUMBER = re.compile(r"\s*-?\d+(\.\d*)?([eE][-+]?\d+)?\s*", re.ASCII)


def read(
    path: Path, watch: Watch = unwatched, reading: Reading | None = None
) -> Iterator[Utterance | InvalidFile]:
    """Yield the utterances of a file, or an `InvalidFile` in place of an invalid line.

    Raises `InvalidFile` if the file cannot be read.
    """
    return parse(path, raw_lines(path, watch), reading)


def parse(
    path: Path, lines: Iterable[tuple[int, bytes]], reading: Reading | None = None
) -> Iterator[Utterance | InvalidFile]:
    """Yield the utterances of numbered lines from `path`; skip empty lines."""
    return json_records(path, lines, partial(utterance, path, reading=reading or Reading()))


def utterance(path: Path, number: int, record: Any, reading: Reading | None = None) -> Utterance:
    """Convert one record. Raises `InvalidInput` naming the key."""
    reading = reading or Reading()
    if not isinstance(record, dict):
        raise InvalidInput("line", "is not a JSON object")
    heard = (
        _ranked(record["ranking"], reading) if "ranking" in record else _candidates(record, reading)
    )
    return Utterance(
        _text(record, "utt", str(number)),
        [reading.heard(each) for each in heard],
        path,
        number,
        _text(record, "history", ""),
        _text(record, "reference", "") if record.get("reference") is not None else None,
    )


def _candidates(record: dict[str, Any], reading: Reading) -> list[Hypothesis]:
    candidates = record.get("candidates")
    if candidates is None and "alternatives" in record:
        raise InvalidInput("alternatives", "is vosk's format; use --format vosk")
    if not isinstance(candidates, list) or not candidates:
        raise InvalidInput("candidates", "is not a list with at least one candidate")
    return [
        _hypothesis(f"candidates[{index}]", each, reading) for index, each in enumerate(candidates)
    ]


def _ranked(ranking: Any, reading: Reading) -> list[Hypothesis]:
    """Return the candidates of a ranking in the recogniser's order."""
    if not isinstance(ranking, list) or not ranking:
        raise InvalidInput("ranking", "is not a list with at least one transcript")
    indexed: list[tuple[float, Hypothesis]] = []
    for rank, each in enumerate(ranking):
        name = f"ranking[{rank}]"
        if not isinstance(each, dict) or not isinstance(each.get("scores"), dict):
            raise InvalidInput(name, 'is not a transcript with "text" and "scores"')
        index = each.get("index", rank)
        if not isinstance(index, int):
            raise InvalidInput(f"{name}.index", "is not a number")
        transcript = {"text": each.get("text"), "scores": each["scores"]}
        indexed.append((index, _hypothesis(name, transcript, reading)))
    return [hypothesis for _, hypothesis in sorted(indexed, key=lambda ranked: ranked[0])]


def _text(record: dict[str, Any], key: str, otherwise: str) -> str:
    value = record.get(key, otherwise)
    if not isinstance(value, str):
        raise InvalidInput(key, "is not a string")
    require_unicode(value, key)
    return value


def _hypothesis(place: str, candidate: Any, reading: Reading) -> Hypothesis:
    if isinstance(candidate, str):
        return Hypothesis(candidate)
    if not isinstance(candidate, dict) or not isinstance(candidate.get("text"), str):
        raise InvalidInput(place, 'is not a string or an object with a "text"')
    scores = {key: _score(f"{place}.{key}", value) for key, value in _numbers(candidate, reading)}
    return Hypothesis(candidate["text"], scores, _times(place, candidate.get("times") or []))


def _numbers(candidate: dict[str, Any], reading: Reading) -> Iterator[tuple[str, int | float]]:
    """Yield the scores of a candidate, including those in its `scores`; skip quoted numbers."""
    for key, value in candidate.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            require_unicode(key, "the name of a score")
            yield key, value
        elif key == "scores" and isinstance(value, dict):
            yield from _numbers(value, reading)
        elif isinstance(value, str) and key != "text" and _NUMBER.fullmatch(value):
            reading.skip(key, "a quoted number is a string, not a score")


def _times(place: str, pairs: Any) -> list[TimeSpan]:
    if not isinstance(pairs, list):
        raise InvalidInput(f"{place}.times", "is not a list of pairs of seconds")
    return [_time(f"{place}.times[{index}]", pair) for index, pair in enumerate(pairs)]


def _time(place: str, pair: Any) -> TimeSpan:
    if not isinstance(pair, list) or len(pair) != 2:
        raise InvalidInput(place, "is not a pair of seconds")
    if not all(isinstance(end, int | float) for end in pair):
        raise InvalidInput(place, "is not a pair of seconds")
    return TimeSpan(_number(place, pair[0]), _number(place, pair[1]))


def _number(place: str, value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InvalidInput(place, "is too large") from None


def _score(place: str, value: int | float) -> float:
    try:
        return rankable(_number(place, value))
    except ValueError:
        raise InvalidInput(place, f"is {value}; must be finite") from None
