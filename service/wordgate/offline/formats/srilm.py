"""Reader of SRILM n-best lists, nbest-format(5), and word meshes, wlat-format(5) (Stolcke 2002).

A folder contains one file per utterance, plain or .gz, named after it. A line of an n-best list is

    acoustic-score lm-score number-of-words word word …

with base-10 logarithms, best first. They become `acoustic_log_prob` and `lm_log_prob`, natural
logarithms. `<s>`, `</s>`, `-pau-` and other null labels are not words, whether or not the number
includes them. Word meshes are read by `meshes`.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from wordgate.errors import InvalidFile
from wordgate.offline.formats import folders, meshes
from wordgate.offline.formats.slf import LM
from wordgate.offline.lines import decode, raw_lines, uncompressed
from wordgate.offline.reading_report import Reading, rankable
from wordgate.offline.utterances import Utterance
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.score_weights import ACOUSTIC

_OTHER_FORMATS = ("NBestList1.0", "NBestList2.0")


def read(path: Path, reading: Reading | None = None) -> Iterator[Utterance | InvalidFile]:
    """Yield the utterances of a file, or of all files in a folder, sorted by name.

    Yields an `InvalidFile` in place of an invalid utterance. Raises `InvalidFile` if the path does
    not exist.
    """
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
        problem = f"format {line.split(maxsplit=1)[0]} is not supported; convert it to SRILM's own "
        raise InvalidFile(path, problem + "with nbest-lattice or rescore-decipher", number)
    fields = line.split()
    try:
        acoustic, lm, count = float(fields[0]), float(fields[1]), int(fields[2])
        scores = {
            ACOUSTIC: rankable(acoustic * math.log(10)),
            LM: rankable(lm * math.log(10)),
        }
    except (IndexError, ValueError):
        problem = "does not begin with an acoustic score, a language-model score and a word count"
        raise InvalidFile(path, problem, number) from None
    words = fields[3:]
    heard = reading.heard(Hypothesis(" ".join(words), scores))
    spoken = len(heard.text.split())
    if not spoken <= count <= len(words):
        problem = f"word count is {count}, but found {len(words)} words; is it truncated?"
        raise InvalidFile(path, problem, number)
    return heard
