"""Folders as recipes leave them: the files of a format, and what lies beside them."""

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
    """Everything in a folder, by name. Raises `InvalidFile` when it is not one."""
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InvalidFile(folder, f"{problem}; this format is a folder of files")
    return sorted(folder.iterdir())


def files(folder: Path, reading: Reading) -> list[Path]:
    """The files of a folder that may be of the format; the others are skipped by name."""
    found = []
    for path in entries(folder):
        if not path.is_file():
            reading.skip(path.name, "a folder")
        elif _BESIDE.fullmatch(path.name):
            reading.skip(path.name, "no data, by its name")
        else:
            found.append(path)
    return found


def numbered(folder: Path, stem: str) -> list[Path]:
    """The folders `STEM.1`, `STEM.2` … of parallel jobs, in order of their numbers."""
    found = []
    for path in entries(folder):
        name, _, number = path.name.rpartition(".")
        if name == stem and number.isdecimal() and path.is_dir():
            found.append((int(number), path))
    return [path for _, path in sorted(found)]


def each_alone(found: Iterator[T | InvalidFile], folders: int) -> Iterator[T | InvalidFile]:
    """What is found in one of several folders; what is wrong with the folder costs it alone."""
    try:
        yield from found
    except InvalidFile as error:
        if folders == 1:
            raise
        yield error
