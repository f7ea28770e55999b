"""Output folders of recipes: data files, and unrelated files next to them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from wordgate.errors import InvalidFile
from wordgate.offline.reading_report import Reading

T = TypeVar("T")

_BESIDE = re.compile(
    r"\..*|(README|COPYRIGHT|COPYING|LICEN[CS]E|NOTICE).*|.*~|.*\.(md|log|scp|sh|py|pdf|png|bak)|Thumbs\.db|num_jobs",
    re.IGNORECASE,
)


def entries(folder: Path) -> list[Path]:
    """Return all entries of a folder, sorted by name. Raises `InvalidFile` for other paths."""
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InvalidFile(folder, f"{problem}; this format is a folder of files")
    return sorted(folder.iterdir())


def files(folder: Path, reading: Reading) -> list[Path]:
    """Return the files of a folder that may be data; skip the others by name."""
    paths = []
    for path in entries(folder):
        if not path.is_file():
            reading.skip(path.name, "a folder")
        elif _BESIDE.fullmatch(path.name):
            reading.skip(path.name, "not data, judging by the name")
        else:
            paths.append(path)
    return paths


def numbered(folder: Path, stem: str) -> list[Path]:
    """Return the folders `STEM.1`, `STEM.2` … of parallel jobs, in numerical order."""
    jobs = []
    for path in entries(folder):
        name, _, number = path.name.rpartition(".")
        if name == stem and number.isdecimal() and path.is_dir():
            jobs.append((int(number), path))
    return [path for _, path in sorted(jobs)]


def each_alone(results: Iterator[T | InvalidFile], folders: int) -> Iterator[T | InvalidFile]:
    """Yield the utterances of one of several folders; yield an error of the folder as well.

    With a single folder, raise the error.
    """
    try:
        yield from results
    except InvalidFile as error:
        if folders == 1:
            raise
        yield error
