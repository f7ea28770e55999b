"""The fields of lattices in HTK's Standard Lattice Format, as they stand in a file.

Knows lines, full and short names and how strings are quoted; does not know what fields mean. A
file may hold several lattices one after the other.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from wordgate.errors import InvalidFile
from wordgate.offline.lines import decode, raw_lines
from wordgate.offline.reading_report import LEAST

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
    "ngram": "n",
    "duration": "ds",
    "posterior": "p",
    **{f"xscore{number}": f"x{number}" for number in range(1, 10)},
}
_FIELD = re.compile(
    r'(?<!\w)([A-Za-z]\w*)=("(?:[^"\\]|\\.)*"(?=\s|$)|\'(?:[^\'\\]|\\.)*\'(?=\s|$)|(?:[^\s\\]|\\.)*)'
)
_MARKS = re.compile(r"[\"'\\]")
_ESCAPE = re.compile(r"\\([0-7]{3})|\\(.)|([^\\]+|\\$)")
_BEGIN = re.compile(rb"\s*(VERSION|V|UTTERANCE|U|N|NODES)=")
_LINK_LINE = re.compile(rb"\s*(J|LINK)=")

_MOST_COMMENTS = 100
"""Lines that may stand before the first of a lattice's own."""

Lines = list[tuple[int, bytes]]


@dataclass
class LatticeFields:
    """The fields of a lattice, by short names, each line with its number."""

    path: Path
    line: int
    header: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    links: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def number(self, line: int, fields: Mapping[str, str], name: str, otherwise: float) -> float:
        """A field that is a finite number."""
        if name not in fields:
            return otherwise
        found = self._float(line, fields, name)
        if not math.isfinite(found):
            raise InvalidFile(self.path, f"has {name}={fields[name]}; it must be finite", line)
        return found

    def score(self, line: int, fields: Mapping[str, str], name: str, base: float) -> float:
        """A field that is a logarithm to this base as a natural one; base 0: a probability.

        Nothing is `LEAST`: a probability of 0, or a logarithm of minus infinity.
        """
        if name not in fields:
            return 0.0
        found = self._float(line, fields, name)
        if found == -math.inf:
            return LEAST
        if not math.isfinite(found):
            raise InvalidFile(self.path, f"has {name}={fields[name]}; it must be finite", line)
        if base != 0:
            return found * math.log(base)
        if found < 0:
            problem = f"has {name}={fields[name]}; with base=0 it is a probability, not below 0"
            raise InvalidFile(self.path, problem, line)
        return math.log(found) if found else LEAST

    def _float(self, line: int, fields: Mapping[str, str], name: str) -> float:
        try:
            return float(fields[name])
        except ValueError:
            problem = f"has {name}={fields[name]}, which is not a number"
            raise InvalidFile(self.path, problem, line) from None


def split(path: Path) -> Iterator[Lines]:
    """The numbered lines of each lattice of a file. Raises `InvalidFile` as `raw_lines`."""
    lattice: Lines = []
    has_links = False
    for number, raw in raw_lines(path):
        if has_links and _BEGIN.match(raw):
            yield lattice
            lattice, has_links = [], False
        has_links = has_links or _LINK_LINE.match(raw) is not None
        lattice.append((number, raw))
    yield lattice


def is_lattice(path: Path) -> bool:
    """Return whether one of the first lines of a file is one of a lattice."""
    try:
        return any(_BEGIN.match(raw) for _, raw in islice(raw_lines(path), _MOST_COMMENTS))
    except InvalidFile:
        return False


def parse(path: Path, lines: Lines) -> LatticeFields:
    """The fields of one lattice. Raises `InvalidFile` with the line."""
    found = LatticeFields(path, lines[0][0] if lines else 1)
    for number, raw in lines:
        line = decode(path, number, raw)
        fields = dict(_FIELD.findall(line))
        if _MARKS.search(line):
            fields = {name: _string(value) for name, value in fields.items()}
        if fields and not line.startswith("#"):
            _take(found, number, fields)
    _check(found)
    return found


def _string(value: str) -> str:
    """A string of HTK: quoted or not, with escapes; `\\303\\244` are bytes, of UTF-8 or Latin-1."""
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
        value = value[1:-1]
    if "\\" not in value:
        return value
    found = b""
    for octal, escaped, plain in _ESCAPE.findall(value):
        found += bytes([int(octal, 8) & 255]) if octal else (escaped or plain).encode()
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError:
        return found.decode("latin-1")


def _check(found: LatticeFields) -> None:
    for number, link in found.links:
        for end in ("S", "E"):
            if link.get(end) not in found.nodes:
                problem = f"leads to the node {link.get(end)}, which does not exist"
                raise InvalidFile(found.path, problem, number)
    for name, entries in (("N", len(found.nodes)), ("L", len(found.links))):
        if name in found.header and found.header[name] != str(entries):
            problem = f"says {name}={found.header[name]}, but has {entries}; it may be cut off"
            raise InvalidFile(found.path, problem)
    if not found.links:
        raise InvalidFile(found.path, "has no link (J=…); is it HTK's lattice format?")


def _take(found: LatticeFields, line: int, fields: Mapping[str, str]) -> None:
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


def _refuse_sub_lattice(found: LatticeFields, line: int, name: str) -> None:
    raise InvalidFile(found.path, f"has the sub-lattice {name}; expand it first", line)


def _short(fields: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    return {names.get(name, name): value for name, value in fields.items()}
