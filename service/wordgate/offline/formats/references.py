"""Reader of reference transcripts: Kaldi's `text`, or NIST's .trn, .stm and .ctm.

The suffix selects the format (plain, .gz or .xz). The lines are

    UTT word word …                                        any other suffix
    word { word / other word / @ } (UTT)                   .trn, with sclite's alternatives
    RECORDING channel speaker start end <labels> word …    .stm
    RECORDING channel start duration word                  .ctm

Lines that begin with `;;` are comments. The lines of one recording are joined in order of time, so
use a .stm or .ctm only if each recording is one utterance.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from wordgate.errors import InvalidFile
from wordgate.offline import alternations
from wordgate.offline.alternations import Alternation, Reference
from wordgate.offline.formats import text_archive
from wordgate.offline.lines import file_format, read_lines

_TRN = re.compile(r"(.*)\(([^()]*)\)\s*")
_COMMENT = ";;"
_IGNORED = "IGNORE_TIME_SEGMENT_IN_SCORING"


def read(path: Path) -> dict[str, Reference]:
    """Return the reference of each utterance. Raises `InvalidFile` with the line number."""
    ending = file_format(path)
    if ending == ".trn":
        references = _trn(path)
    elif ending in {".stm", ".ctm"}:
        references = _joined(path, _stm if ending == ".stm" else _ctm)
    else:
        entries = text_archive.read(path, text_archive.text)
        if any(utt.startswith("{") for utt in islice(entries, 1)):
            raise InvalidFile(path, "is JSON; expected lines UTT word word …, or a .trn")
        references = {
            utt: text_archive.used(entry)[1]
            for utt, entry in entries.items()
            if not utt.startswith(_COMMENT)
        }
    if not references:
        raise InvalidFile(path, "contains no references")
    return references


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in read_lines(path):
        if line.strip() and not line.startswith(_COMMENT):
            yield number, line


def _trn(path: Path) -> dict[str, Reference]:
    references: dict[str, Reference] = {}
    for number, line in _lines(path):
        parts = _TRN.fullmatch(line)
        if parts is None:
            raise InvalidFile(path, "does not end with (UTTERANCE)", number)
        if parts.group(2) in references:
            raise InvalidFile(path, f"duplicate utterance {parts.group(2)}", number)
        references[parts.group(2)] = _reference(path, number, parts.group(1))
    return references


def _reference(path: Path, number: int, text: str) -> Reference:
    try:
        return alternations.parse(text)
    except ValueError as error:
        raise InvalidFile(path, str(error), number) from None


_Timed = tuple[str, float, Reference]
"""A recording, a time in seconds and the reference from that time."""


def _joined(
    path: Path, parse: Callable[[Path, int, list[str]], _Timed | None]
) -> dict[str, Reference]:
    """Return the reference of each recording, joined in order of time."""
    timed: dict[str, list[tuple[float, int, Reference]]] = defaultdict(list)
    for number, line in _lines(path):
        entry = parse(path, number, line.split())
        if entry is not None:
            timed[entry[0]].append((entry[1], number, entry[2]))
    return {
        recording: _in_a_row([text for _, _, text in sorted(parts, key=lambda part: part[:2])])
        for recording, parts in timed.items()
    }


def _in_a_row(parts: list[Reference]) -> Reference:
    if all(isinstance(part, str) for part in parts):
        return " ".join(part for part in parts if isinstance(part, str) and part)
    flat: list[tuple[str, ...]] = []
    for part in parts:
        flat += part.parts if isinstance(part, Alternation) else [(part,)]
    return Alternation(tuple(flat))


def _stm(path: Path, number: int, fields: list[str]) -> _Timed | None:
    """Parse one segment; return None if it is excluded from scoring."""
    words = fields[5:]
    if words and words[0].startswith("<") and words[0].endswith(">"):
        words = words[1:]
    if _IGNORED.casefold() in (word.casefold() for word in words):
        return None
    start = _seconds(path, number, fields, 3)
    _seconds(path, number, fields, 4)
    return fields[0], start, _reference(path, number, " ".join(words))


def _ctm(path: Path, number: int, fields: list[str]) -> _Timed:
    """Parse one word."""
    if len(fields) > 4 and fields[4].startswith("<ALT"):
        raise InvalidFile(path, "alternatives are not supported in a .ctm; use a .trn", number)
    start = _seconds(path, number, fields, 2)
    _seconds(path, number, fields, 3)
    if len(fields) not in (5, 6):
        problem = "expected recording, channel, start, duration, word and optional confidence"
        raise InvalidFile(path, problem, number)
    return fields[0], start, fields[4]


def _seconds(path: Path, number: int, fields: list[str], column: int) -> float:
    try:
        return float(fields[column])
    except (IndexError, ValueError):
        problem = f"column {column + 1} is not a number of seconds"
        raise InvalidFile(path, problem, number) from None
