"""N-best lists as NeMo's beam search writes them for its rescoring script.

One flat file, a line `text<TAB>score` for each candidate, `beam` lines for each utterance, in the
order of the manifest (JSON lines with `audio_filepath` and `text`, the reference). The score is the
beam search's total, a natural logarithm; it is `acoustic_log_prob` here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wordgate.core.hypothesis import Hypothesis
from wordgate.core.weighting import ACOUSTIC
from wordgate.errors import InvalidFile
from wordgate.evaluation.hesitations import Utterance
from wordgate.evaluation.lines import parse_json, read_lines


def read(path: Path, manifest: Path, beam: int) -> Iterator[Utterance]:
    """The utterances of a file. Raises `InvalidFile`, also when there are not `beam` lines for each
    line of the manifest."""
    records = [
        _record(manifest, number, line) for number, line in read_lines(manifest) if line.strip()
    ]
    heard = [(number, _hypothesis(path, number, line)) for number, line in read_lines(path)]
    if len(heard) != beam * len(records):
        raise InvalidFile(
            path,
            f"has {len(heard)} lines, but a beam of {beam} for the {len(records)} utterances of "
            f"{manifest} makes {beam * len(records)}",
        )
    for place, record in enumerate(records):
        lines = heard[place * beam : (place + 1) * beam]
        name = str(record.get("audio_filepath") or lines[0][0])
        reference = record.get("text")
        yield Utterance(name, [found for _, found in lines], path, lines[0][0], "", reference)


def _record(path: Path, number: int, line: str) -> dict[str, Any]:
    record = parse_json(path, number, line)
    if not isinstance(record, dict) or not isinstance(record.get("text", ""), str):
        raise InvalidFile(path, "is no JSON object with a text", number)
    return record


def _hypothesis(path: Path, number: int, line: str) -> Hypothesis:
    text, separator, score = line.rpartition("\t")
    try:
        if not separator:
            raise ValueError
        return Hypothesis(text, {ACOUSTIC: float(score)})
    except ValueError:
        raise InvalidFile(path, "is no text, a tab and a number", number) from None
