"""What was really said, by utterance: Kaldi's `text`, or NIST's .trn.

A line is `UTT word word …`, in a file that ends in .trn (plain, .gz or .xz) `word word … (UTT)`.
"""

import re
from pathlib import Path

from wordgate.errors import InvalidFile
from wordgate.evaluation.formats import keyed
from wordgate.evaluation.lines import file_format, read_lines

_TRN = re.compile(r"(.*)\(([^()]*)\)\s*")


def read(path: Path) -> dict[str, str]:
    """The words of each utterance. Raises `InvalidFile` with the line."""
    if file_format(path) != ".trn":
        return {utt: words for utt, (_, words) in keyed.read(path, keyed.text).items()}
    found: dict[str, str] = {}
    for number, line in read_lines(path):
        if not line.strip():
            continue
        parts = _TRN.fullmatch(line)
        if parts is None:
            raise InvalidFile(path, "does not end with an utterance in brackets", number)
        found[parts.group(2)] = " ".join(parts.group(1).split())
    return found
