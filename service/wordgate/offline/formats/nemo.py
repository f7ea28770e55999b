"""Reader of n-best lists that NeMo's beam search writes for its rescoring script.

A flat file with one line `text<TAB>score` per candidate and `beam` lines per utterance, in the
order of the manifest (JSON lines with `audio_filepath` and `text`, the reference). The score is the
beam search's total, a natural logarithm; it becomes `acoustic_log_prob`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wordgate.errors import InvalidFile
from wordgate.offline.lines import decode, parse_json, raw_lines
from wordgate.offline.reading_report import Reading, rankable
from wordgate.offline.utterances import Utterance
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.score_weights import ACOUSTIC

_Line = tuple[int, bytes]


def read(
    path: Path, manifest: Path, beam: int, reading: Reading | None = None
) -> Iterator[Utterance | InvalidFile]:
    """Yield the utterances of a file, or an `InvalidFile` in place of an invalid one.

    Raises `InvalidFile` unless the file has `beam` lines per line of the manifest.
    """
    reading = reading or Reading.of_recogniser()
    records = [(number, raw) for number, raw in raw_lines(manifest) if raw.strip()]
    heard = list(raw_lines(path))
    if len(heard) != beam * len(records):
        raise InvalidFile(
            path,
            f"has {len(heard)} lines, expected {beam * len(records)}: a beam of {beam} for "
            f"{len(records)} utterances in {manifest}",
        )
    reading.use(path.name)
    reading.use(manifest.name)
    for place, record in enumerate(records):
        lines = heard[place * beam : (place + 1) * beam]
        try:
            yield _utterance(path, lines, _record(manifest, *record), reading)
        except InvalidFile as error:
            yield error


def _utterance(
    path: Path, lines: list[_Line], record: dict[str, Any], reading: Reading
) -> Utterance:
    first = lines[0][0]
    name = str(record.get("audio_filepath") or first)
    heard = [reading.heard(_hypothesis(path, *line)) for line in lines]
    return Utterance(name, heard, path, first, "", record.get("text"))


def _record(path: Path, number: int, raw: bytes) -> dict[str, Any]:
    record = parse_json(path, number, decode(path, number, raw))
    if not isinstance(record, dict) or not isinstance(record.get("text", ""), str):
        raise InvalidFile(path, "is not a JSON object with a text", number)
    return record


def _hypothesis(path: Path, number: int, raw: bytes) -> Hypothesis:
    text, separator, score = decode(path, number, raw).rpartition("\t")
    try:
        if not separator:
            raise ValueError
        return Hypothesis(text, {ACOUSTIC: rankable(float(score))})
    except ValueError:
        problem = "is not of the form text, tab, finite number"
        raise InvalidFile(path, problem, number) from None
