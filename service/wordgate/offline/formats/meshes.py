"""Reader of SRILM word meshes, wlat-format(5): confusion networks.

    name UTT
    numaligns 2
    posterior 1
    align 0 the 0.9 a 0.1
    align 1 sun 0.6 son 0.3 *DELETE* 0.1

The natural logarithm of a posterior becomes the score `acoustic_log_prob`: a mesh has no other
score, and the recogniser's own language model is part of it. If all positions have a `reference`
line, these lines are the reference.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from wordgate.errors import InvalidFile
from wordgate.offline.lines import uncompressed
from wordgate.offline.reading_report import Reading, rankable
from wordgate.offline.utterances import Utterance
from wordgate.scoring.lattice import Alternative, ConfusionNetwork
from wordgate.scoring.score_weights import ACOUSTIC

T = TypeVar("T")

_Lines = Sequence[tuple[int, str]]

_BESIDE = {"hyps", "info", "posterior", "time"}
_LATTICE = {"version", "node", "initial", "final"}


@dataclass
class _Mesh:
    """Parsed lines of a mesh."""

    path: Path
    line: int
    name: str
    numaligns: int | None = None
    slots: dict[int, list[Alternative]] = field(default_factory=dict)
    references: dict[int, str] = field(default_factory=dict)


def is_mesh(line: str) -> bool:
    """Return whether a first line begins an SRILM mesh or word lattice."""
    return line.split(maxsplit=1)[0] in {"name", "numaligns", "version"}


def parse(path: Path, lines: _Lines, reading: Reading) -> Iterator[Utterance | InvalidFile]:
    """Yield the meshes of a file, or an `InvalidFile` in place of an invalid one."""
    for part in _parts(lines):
        try:
            yield _utterance(_read(path, part, reading))
        except InvalidFile as error:
            yield error


def _parts(lines: _Lines) -> Iterator[_Lines]:
    """Yield the lines of each mesh: it begins with `name`, or with `numaligns` after positions."""
    begins = [
        place
        for place, (_, line) in enumerate(lines)
        if place == 0
        or line.startswith("name ")
        or (line.startswith("numaligns ") and not lines[place - 1][1].startswith("name "))
    ]
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        yield lines[begin:end]


def _read(path: Path, lines: _Lines, reading: Reading) -> _Mesh:
    mesh = _Mesh(path, lines[0][0], uncompressed(path).name)
    for number, line in lines:
        kind, *rest = line.split()
        try:
            if kind == "name":
                mesh.name = rest[0]
            elif kind == "numaligns":
                mesh.numaligns = int(rest[0])
            elif kind == "align":
                _put(mesh.slots, int(rest[0]), _slot(rest[1:], reading), (path, number, kind))
            elif kind == "reference":
                _put(mesh.references, int(rest[0]), rest[1], (path, number, kind))
            elif kind in _LATTICE:
                problem = "is a word lattice; convert it to a mesh with nbest-lattice -use-mesh"
                raise InvalidFile(path, problem, number)
            elif kind in _BESIDE:
                reading.skip(f"lines {kind}", "not part of a confusion network")
            else:
                raise ValueError
        except (ValueError, IndexError):
            raise InvalidFile(path, "is not a line of a word mesh", number) from None
    return mesh


def _put(known: dict[int, T], position: int, value: T, line: tuple[Path, int, str]) -> None:
    """Store the value of a position. Raises `InvalidFile` for a duplicate position."""
    path, number, kind = line
    if position in known:
        raise InvalidFile(path, f"duplicate line {kind} {position}", number)
    known[position] = value


def _slot(fields: Sequence[str], reading: Reading) -> list[Alternative]:
    if not fields or len(fields) % 2:
        raise ValueError
    alternatives = []
    for word, posterior in zip(fields[::2], fields[1::2], strict=True):
        share = float(posterior)
        scores = {ACOUSTIC: rankable(math.log(share) if share else -math.inf)}
        alternatives.append(Alternative(reading.label(word), scores))
    return alternatives


def _utterance(mesh: _Mesh) -> Utterance:
    places = sorted(mesh.slots)
    missing = next((place for place in range(len(places) + 1) if place not in mesh.slots), 0)
    if missing < len(places) or not places:
        problem = f"missing line align {missing}; positions count from 0"
        raise InvalidFile(mesh.path, problem, mesh.line)
    if mesh.numaligns not in (None, len(places)):
        problem = f"numaligns is {mesh.numaligns}, but found {len(places)}; is it truncated?"
        raise InvalidFile(mesh.path, problem, mesh.line)
    reference = None
    if mesh.references.keys() == mesh.slots.keys():
        reference = " ".join(mesh.references[place] for place in places)
    network = ConfusionNetwork([mesh.slots[place] for place in places])
    return Utterance(mesh.name, [], mesh.path, mesh.line, reference=reference, lattice=network)
