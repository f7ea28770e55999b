"""Reader of n-best lists from ESPnet's decoding (Watanabe et al. 2018).

A folder contains folders `1best_recog`, `2best_recog` …, each with a file `text` with lines
`UTT word word …` and a file `score` with lines `UTT number`. The number is the decoder's total, a
natural logarithm, and becomes `acoustic_log_prob` (an end-to-end model has no other score). Each
parallel job has such a folder, `logdir/output.1`, `logdir/output.2` …; given their parent, all are
read.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from wordgate.errors import InvalidFile
from wordgate.offline.formats import folders, text_archive
from wordgate.offline.lines import uncompressed
from wordgate.offline.reading_report import Reading
from wordgate.offline.utterances import Utterance
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.score_weights import ACOUSTIC

_RANKED = re.compile(r"(\d+)best_recog")
_FILES = ("text", "score")

_Texts = dict[str, tuple[int, str] | InvalidFile]
_Scores = dict[str, tuple[int, float] | InvalidFile]


def read(folder: Path, reading: Reading | None = None) -> Iterator[Utterance | InvalidFile]:
    """Yield the utterances of a folder, or of all its jobs, in the order of `1best_recog`.

    Yields an `InvalidFile` in place of an invalid utterance. Raises `InvalidFile` if a folder
    cannot be read.
    """
    reading = reading or Reading.of_recogniser()
    jobs = _jobs(folder)
    for job in jobs:
        yield from folders.each_alone(_job(job, reading), len(jobs))


def _jobs(folder: Path) -> list[Path]:
    """Return the folders that contain `1best_recog`, `2best_recog` …"""
    if _ranks(folder):
        return [folder]
    for parent in (folder, folder / "logdir"):
        if parent.is_dir():
            jobs = [job for job in folders.numbered(parent, "output") if _ranks(job)]
            if jobs:
                return jobs
    problem = "does not contain 1best_recog, output.1/1best_recog or logdir/output.1/1best_recog"
    raise InvalidFile(folder, problem)


def _ranks(folder: Path) -> list[Path]:
    """Return the folders of the ranks, best first."""
    ranked = [
        (int(match.group(1)), path)
        for path in folders.entries(folder)
        if path.is_dir() and (match := _RANKED.fullmatch(path.name))
    ]
    return [path for _, path in sorted(ranked)]


def _job(folder: Path, reading: Reading) -> Iterator[Utterance | InvalidFile]:
    ranks = _ranks(folder)
    files = [_files(rank, reading) for rank in ranks]
    texts = [text_archive.read(each["text"], text_archive.text) for each in files]
    scores = [text_archive.read(each["score"], text_archive.score) for each in files]
    for rank in ranks:
        reading.use(f"{folder.name}/{rank.name}")
    for utt in dict.fromkeys(utt for known in texts for utt in known):
        try:
            yield _utterance(utt, files, texts, scores, reading)
        except InvalidFile as error:
            yield error


def _files(rank: Path, reading: Reading) -> dict[str, Path]:
    """Return the paths of the text and the scores of a rank, compressed or plain."""
    paths = {name: rank / name for name in _FILES}
    for path in folders.files(rank, reading):
        name = uncompressed(path).name
        if name in paths:
            paths[name] = path
        else:
            reading.skip(path.name, "neither text nor score")
    return paths


def _utterance(
    utt: str,
    files: list[dict[str, Path]],
    texts: list[_Texts],
    scores: list[_Scores],
    reading: Reading,
) -> Utterance:
    heard: list[Hypothesis] = []
    place: tuple[Path, int] | None = None
    for paths, known, totals in zip(files, texts, scores, strict=True):
        if utt not in known:
            continue
        line, text = text_archive.used(known[utt])
        place = place or (paths["text"], line)
        if utt not in totals:
            raise InvalidFile(paths["score"], f"missing line for {utt}")
        scored = Hypothesis(text, {ACOUSTIC: text_archive.used(totals[utt])[1]})
        heard.append(reading.heard(scored))
    assert place is not None
    return Utterance(utt, heard, *place)
