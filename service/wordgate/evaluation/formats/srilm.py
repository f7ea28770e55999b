"""N-best lists in SRILM's own format, nbest-format(5).

A folder holds a file for each utterance, named for it (a .gz too). A line is

    acoustic-score lm-score number-of-words word word …

with logarithms to base 10, the best first. They become `acoustic_log_prob` and `lm_log_prob`,
natural logarithms; `<s>`, `</s>` and `-pau-` are no words. (Stolcke 2002, SRILM.)
"""

import math
from collections.abc import Iterator
from pathlib import Path

from wordgate.core.hypothesis import Hypothesis
from wordgate.core.weighting import ACOUSTIC
from wordgate.errors import InvalidFile
from wordgate.evaluation.formats import keyed
from wordgate.evaluation.hesitations import Utterance
from wordgate.evaluation.lines import read_lines, uncompressed

LM = "lm_log_prob"
_NO_WORDS = {"<s>", "</s>", "-pau-"}
_OTHER_FORMATS = ("NBestList1.0", "NBestList2.0")


def read(folder: Path) -> Iterator[Utterance]:
    """The utterances of a folder, by name. Raises `InvalidFile` with the line."""
    for path in keyed.files(folder):
        heard = [
            _hypothesis(path, number, line) for number, line in read_lines(path) if line.strip()
        ]
        if not heard:
            raise InvalidFile(path, "is empty")
        yield Utterance(uncompressed(path).name, heard, path, 1)


def _hypothesis(path: Path, number: int, line: str) -> Hypothesis:
    if number == 1 and line.startswith(_OTHER_FORMATS):
        problem = f"is in the format {line.split(maxsplit=1)[0]}; rewrite it with nbest-lattice or "
        raise InvalidFile(path, problem + "rescore-decipher, which print SRILM's own", number)
    fields = line.split()
    try:
        acoustic, lm, count = float(fields[0]), float(fields[1]), int(fields[2])
    except (IndexError, ValueError):
        problem = "does not begin with an acoustic score, a language model's and a number of words"
        raise InvalidFile(path, problem, number) from None
    words = fields[3:]
    spoken = [word for word in words if word not in _NO_WORDS]
    if count not in (len(words), len(spoken)):
        problem = f"says {count} words and has {len(words)}"
        raise InvalidFile(path, problem, number)
    scores = {ACOUSTIC: acoustic * math.log(10), LM: lm * math.log(10)}
    return Hypothesis(" ".join(spoken), scores)
