"""N-best lists and word meshes in SRILM's own formats, nbest-format(5) and wlat-format(5).

A folder holds a file for each utterance, named for it (a .gz too). A line of an n-best list is

    acoustic-score lm-score number-of-words word word …

with logarithms to base 10, the best first. They become `acoustic_log_prob` and `lm_log_prob`,
natural logarithms. `<s>`, `</s>`, `-pau-` and other null labels are not words, whether the number
counts them or not. Word meshes are in `meshes`. (Stolcke 2002, SRILM.)
"""

import math
from collections.abc import Iterator
from pathlib import Path

from wordgate.errors import InvalidFile
from wordgate.offline.formats import folders, meshes
from wordgate.offline.lines import decode, raw_lines, uncompressed
from wordgate.offline.reading_report import Reading, rankable
from wordgate.offline.utterances import Utterance
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.weighting import ACOUSTIC

LM = "lm_log_prob"
_OTHER_FORMATS = ("NBestList1.0", "NBestList2.0")


def read(path: Path, reading: Reading | None = None) -> Iterator[Utterance | InvalidFile]:
    """The utterances of a folder, by name, or of one file; an `InvalidFile` in place of one that
    cannot be used. Raises `InvalidFile` when there is no such folder or file."""
    reading = reading or Reading.of_recogniser()
    for each in folders.files(path, reading) if path.is_dir() else [path]:
        try:
            lines = [(number, decode(each, number, raw)) for number, raw in raw_lines(each)]
            lines = [(number, line) for number, line in lines if line.strip()]
        except InvalidFile as error:
            yield error
            continue
        reading.use(each.name)
        if lines and meshes.is_mesh(lines[0][1]):
            yield from meshes.parse(each, lines, reading)
        else:
            yield _list(each, lines, reading)


def _list(path: Path, lines: list[tuple[int, str]], reading: Reading) -> Utterance | InvalidFile:
    try:
        if not lines:
            raise InvalidFile(path, "is empty")
        heard = [_hypothesis(path, number, line, reading) for number, line in lines]
    except InvalidFile as error:
        return error
    return Utterance(uncompressed(path).name, heard, path, lines[0][0])


def _hypothesis(path: Path, number: int, line: str, reading: Reading) -> Hypothesis:
    if number == 1 and line.startswith(_OTHER_FORMATS):
        problem = f"is in the format {line.split(maxsplit=1)[0]}; rewrite it with nbest-lattice or "
        raise InvalidFile(path, problem + "rescore-decipher, which print SRILM's own", number)
    fields = line.split()
    try:
        acoustic, lm, count = float(fields[0]), float(fields[1]), int(fields[2])
        scores = {
            ACOUSTIC: rankable(acoustic * math.log(10)),
            LM: rankable(lm * math.log(10)),
        }
    except (IndexError, ValueError):
        problem = "does not begin with an acoustic score, a language model's and a number of words"
        raise InvalidFile(path, problem, number) from None
    words = fields[3:]
    heard = reading.heard(Hypothesis(" ".join(words), scores))
    spoken = len(heard.text.split())
    if not spoken <= count <= len(words):
        problem = f"says {count} words and has {len(words)}; it may be cut off"
        raise InvalidFile(path, problem, number)
    return heard
