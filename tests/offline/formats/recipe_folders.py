"""Helpers for reader tests: folders of files, as recipes write them."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from wordgate.errors import InvalidFile
from wordgate.offline.records import raise_on_error
from wordgate.offline.utterances import Utterance
from wordgate.scoring.lattice import ConfusionNetwork, Lattice

T = TypeVar("T")


def folder(path: Path, files: dict[str, str | bytes]) -> Path:
    """Create a folder with these files, given by relative path."""
    for name, content in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def texts(found: Iterable[Utterance | InvalidFile]) -> dict[str, list[str]]:
    """Return the candidates of each utterance."""
    return {each.utt: [h.text for h in each.hypotheses] for each in raise_on_error(found)}


def sorted_out(found: Iterable[Utterance | InvalidFile]) -> tuple[list[str], list[str]]:
    """Return the names of the utterances, and the errors."""
    names, errors = [], []
    for each in found:
        if isinstance(each, InvalidFile):
            errors.append(str(each))
        else:
            names.append(each.utt)
    return names, errors


def lattice(utterance: Utterance) -> Lattice:
    """Return the lattice of an utterance."""
    assert isinstance(utterance.lattice, Lattice)
    return utterance.lattice


def network(utterance: Utterance) -> ConfusionNetwork:
    """Return the confusion network of an utterance."""
    assert isinstance(utterance.lattice, ConfusionNetwork)
    return utterance.lattice
