"""Folders of files, as recipes leave them, for tests of readers."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from wordgate.errors import InvalidFile
from wordgate.offline.records import raise_on_error
from wordgate.offline.utterances import Utterance
from wordgate.scoring.lattice import ConfusionNetwork, Lattice

T = TypeVar("T")


def folder(path: Path, files: dict[str, str | bytes]) -> Path:
    """A folder with these files, by their paths in it."""
    for name, content in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def texts(found: Iterable[Utterance | InvalidFile]) -> dict[str, list[str]]:
    """The candidates of each utterance."""
    return {each.utt: [h.text for h in each.hypotheses] for each in raise_on_error(found)}


def sorted_out(found: Iterable[Utterance | InvalidFile]) -> tuple[list[str], list[str]]:
    """The names of the utterances, and the errors in place of others."""
    names, errors = [], []
    for each in found:
        if isinstance(each, InvalidFile):
            errors.append(str(each))
        else:
            names.append(each.utt)
    return names, errors


def lattice(utterance: Utterance) -> Lattice:
    """The lattice of an utterance."""
    assert isinstance(utterance.lattice, Lattice)
    return utterance.lattice


def network(utterance: Utterance) -> ConfusionNetwork:
    """The confusion network of an utterance."""
    assert isinstance(utterance.lattice, ConfusionNetwork)
    return utterance.lattice
