"""Lattices in HTK's Standard Lattice Format (the HTK Book, chapter 20), a file for each utterance.

Full and short names of fields, a logarithm's base, scales and a word penalty in the header, words
on nodes or on links. They become scores of arcs, natural logarithms: `acoustic_log_prob`,
`lm_log_prob`, `pronunciation_log_prob`, as far as a file has them, and `first_pass_total` with the
header's scales and penalty. Where words stand on nodes, writers differ in whether a link's scores
belong to the word at its start (PocketSphinx) or at its end (HTK): acoustic scores of the same
word between the same moments are equal, which tells the two apart, or the user does.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from wordgate.core.lattice import Arc, Lattice
from wordgate.core.weighting import ACOUSTIC
from wordgate.errors import InvalidFile
from wordgate.evaluation.formats import keyed
from wordgate.evaluation.hesitations import Utterance
from wordgate.evaluation.lines import read_lines, uncompressed

LM = "lm_log_prob"
PRONUNCIATION = "pronunciation_log_prob"
TOTAL = "first_pass_total"

_HEADER = {"VERSION": "V", "UTTERANCE": "U", "SUBLAT": "S", "NODES": "N", "LINKS": "L"}
_NODE = {"NODE": "I", "time": "t", "WORD": "W", "var": "v", "SUBLAT": "L"}
_LINK = {
    "LINK": "J",
    "START": "S",
    "END": "E",
    "WORD": "W",
    "var": "v",
    "div": "d",
    "acoustic": "a",
    "language": "l",
    "pronunciation": "r",
}
_FIELD = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|\S*)')
_SCORES = {"a": (ACOUSTIC, "acscale"), "l": (LM, "lmscale"), "r": (PRONUNCIATION, "prscale")}
_SURE = 2.0
"""Odds above which a convention is taken for found; 2.5 to 50 in what was measured."""

_FEWEST = 4
"""Pairs of links to be compared; fewer show nothing."""

_SILENT = re.compile(r"!.*|<.*>|\[.*\]|")


class ScoreAt(StrEnum):
    """Which node's word a link's scores belong to."""

    START = "start"
    END = "end"


@dataclass
class _File:
    """The fields of a file, by short names, each line with its number."""

    path: Path
    header: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    links: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def number(self, line: int, fields: Mapping[str, str], name: str, otherwise: float) -> float:
        """A field that is a number."""
        try:
            found = float(fields.get(name, otherwise))
        except ValueError:
            problem = f"has {name}={fields[name]}, which is no number"
            raise InvalidFile(self.path, problem, line) from None
        if not math.isfinite(found):
            raise InvalidFile(self.path, f"has {name}={fields[name]}; it must be finite", line)
        return found


def read(path: Path, score_at: ScoreAt | None = None) -> Iterator[Utterance]:
    """The utterances of a folder, by name, or of one file. Raises `InvalidFile` with the line."""
    for each in keyed.files(path) if path.is_dir() else [path]:
        name = uncompressed(each).name
        stem = name.removesuffix(".slf").removesuffix(".lat")
        yield Utterance(stem, [], each, 1, lattice=read_lattice(each, score_at))


def read_lattice(path: Path, score_at: ScoreAt | None = None) -> Lattice:
    """One lattice. Raises `InvalidFile`, also when it does not say what its scores belong to."""
    found = _parse(path)
    names = {name: number for number, name in enumerate(found.nodes)}
    on_links = any("W" in fields for _, fields in found.links)
    if on_links and any("W" in fields for _, fields in found.nodes.values()):
        raise InvalidFile(path, "has words on nodes and on links; one of the two must go")
    start, end = _ends(found)
    at = None if on_links else score_at or _detected(found)
    scale = _log_scale(found)
    present = [name for name in _SCORES if any(name in fields for _, fields in found.links)]
    arcs = []
    for line, fields in found.links:
        if on_links:
            label = _word(fields)
        else:
            label = _word(found.nodes[fields["S" if at is ScoreAt.START else "E"]][1])
        scores = _scores(found, line, fields, present, scale, label)
        arcs.append(Arc(names[fields["S"]], names[fields["E"]], label, scores))
    last, times = names[end], _times(found)
    edge = found.nodes[end if at is ScoreAt.START else start][1]
    if not on_links and not _SILENT.fullmatch(_word(edge)):
        problem = "has a word on its last node" if at is ScoreAt.START else "begins with a word"
        raise InvalidFile(path, f"{problem}, which has no score; end and begin with !NULL")
    return Lattice(arcs, names[start], last, times)


def _parse(path: Path) -> _File:
    found = _File(path)
    for number, line in read_lines(path):
        fields = {name: value.strip('"') for name, value in _FIELD.findall(line)}
        if fields and not line.startswith("#"):
            _take(found, number, fields)
    for number, link in found.links:
        for end in ("S", "E"):
            if link.get(end) not in found.nodes:
                raise InvalidFile(path, f"leads to the node {link.get(end)}, which is none", number)
    for name, entries in (("N", len(found.nodes)), ("L", len(found.links))):
        if name in found.header and found.header[name] != str(entries):
            problem = f"says {name}={found.header[name]}, but has {entries}; it may be cut off"
            raise InvalidFile(path, problem)
    if not found.links:
        raise InvalidFile(path, "has no link (J=…); is it HTK's lattice format?")
    return found


def _take(found: _File, line: int, fields: Mapping[str, str]) -> None:
    """Sort one line in by its first field."""
    first = next(iter(fields))
    if first in ("I", "NODE"):
        node = _short(fields, _NODE)
        if "L" in node:
            _refuse_sub_lattice(found, line, node["L"])
        if node["I"] in found.nodes:
            raise InvalidFile(found.path, f"has node {node['I']} twice", line)
        found.nodes[node["I"]] = line, node
    elif first in ("J", "LINK"):
        found.links.append((line, _short(fields, _LINK)))
    elif first in ("SUBLAT", "S"):
        _refuse_sub_lattice(found, line, fields[first])
    else:
        found.header.update(_short(fields, _HEADER))


def _refuse_sub_lattice(found: _File, line: int, name: str) -> None:
    raise InvalidFile(found.path, f"has the sub-lattice {name}; expand it first", line)


def _short(fields: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    return {names.get(name, name): value for name, value in fields.items()}


def _word(fields: Mapping[str, str]) -> str:
    return fields.get("W", "!NULL")


def _ends(found: _File) -> tuple[str, str]:
    """The first and the last node: the header's, or the only ones without a way in or out."""
    sources = {fields["S"] for _, fields in found.links}
    targets = {fields["E"] for _, fields in found.links}
    ends = []
    for name, others in (("start", targets), ("end", sources)):
        free = [node for node in found.nodes if node not in others]
        named = found.header.get(name)
        if named is None and len(free) != 1:
            raise InvalidFile(found.path, f"has {len(free)} nodes to {name} with; say {name}=")
        if named is not None and named not in found.nodes:
            raise InvalidFile(found.path, f"has no node {named}, its {name}")
        ends.append(named or free[0])
    return ends[0], ends[1]


def _log_scale(found: _File) -> float:
    """What makes the file's logarithms natural ones."""
    base = found.number(1, found.header, "base", math.e)
    if base <= 1:
        raise InvalidFile(found.path, f"has base={base:g}; only logarithms can be read (base > 1)")
    return math.log(base)


def _scores(
    found: _File, line: int, fields: dict[str, str], present: list[str], scale: float, label: str
) -> dict[str, float]:
    scores = {}
    header = found.header
    total = scale * found.number(1, header, "wdpenalty", 0.0) * (not _SILENT.fullmatch(label))
    for name in present:
        score, factor = _SCORES[name]
        value = scale * found.number(line, fields, name, 0.0)
        scores[score] = value
        total += value * found.number(1, header, factor, 1.0)
    if {"acscale", "lmscale", "prscale", "wdpenalty"} & header.keys():
        scores[TOTAL] = total
    return scores


def _times(found: _File) -> list[float]:
    """The seconds of all nodes, if all have them."""
    lines = found.nodes.values()
    if any("t" not in fields for _, fields in lines):
        return []
    return [found.number(line, fields, "t", 0.0) for line, fields in lines]


def _detected(found: _File) -> ScoreAt:
    """Which node's word the scores belong to. Raises `InvalidFile` when they do not say.

    A score of the word at the start is the same for all its links to nodes of one time; one of the
    word at the end, for all links to it from nodes of one time.
    """
    pairs, equal = _pairs(found, "S", "E")
    other_pairs, other_equal = _pairs(found, "E", "S")
    odds = (equal + 1) / (pairs - equal + 1)
    odds /= (other_equal + 1) / (other_pairs - other_equal + 1)
    if pairs >= _FEWEST and other_pairs >= _FEWEST:
        if odds > _SURE:
            return ScoreAt.START
        if odds < 1 / _SURE:
            return ScoreAt.END
    problem = "does not show whether a link's scores are of the word at its start or at its end"
    raise InvalidFile(found.path, f"{problem}; say --score-at start, or end")


def _pairs(found: _File, word: str, other: str) -> tuple[int, int]:
    """Pairs of links of one node and time whose other words differ, and those of equal scores."""
    groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for _, fields in found.links:
        if "a" in fields:
            there = found.nodes[fields[other]][1]
            groups[fields[word], there.get("t", "")][_word(there)] = fields["a"]
    pairs = sum(len(group) - 1 for group in groups.values())
    return pairs, sum(len(group) - len(set(group.values())) for group in groups.values())
