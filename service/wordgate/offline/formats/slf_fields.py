"""Lexical level of HTK's Standard Lattice Format: lines, field names and quoted strings.

A file may contain several lattices, one after the other.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from wordgate.errors import InvalidFile
from wordgate.offline.lines import decode, raw_lines
from wordgate.offline.reading_report import MIN_SCORE

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

_MAX_COMMENTS = 100
"""Maximum number of lines, such as comments, before the first line of a lattice."""

Lines = list[tuple[int, bytes]]


@dataclass
class LatticeFields:
    """Fields of a lattice by short name, with line numbers."""

    path: Path
    line: int
    header: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    links: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def number(self, line: int, fields: Mapping[str, str], name: str, otherwise: float) -> float:
        """Return a field that must be a finite number, or `otherwise` if it is missing."""
        if name not in fields:
            return otherwise
        number = self._float(line, fields, name)
        if not math.isfinite(number):
            raise InvalidFile(self.path, f"{name}={fields[name]} is not finite", line)
        return number

    def score(self, line: int, fields: Mapping[str, str], name: str, base: float) -> float:
        """Convert a field, a logarithm to this base, to a natural logarithm.

        With base 0 the field is a probability. A probability of 0, or a logarithm of minus
        infinity, becomes `MIN_SCORE`; a missing field becomes 0.
        """
        if name not in fields:
            return 0.0
        number = self._float(line, fields, name)
        if number == -math.inf:
            return MIN_SCORE
        if not math.isfinite(number):
            raise InvalidFile(self.path, f"{name}={fields[name]} is not finite", line)
        if base != 0:
            return number * math.log(base)
        if number < 0:
            problem = f"{name}={fields[name]} is negative; with base=0 it must be a probability"
            raise InvalidFile(self.path, problem, line)
        return math.log(number) if number else MIN_SCORE

    def _float(self, line: int, fields: Mapping[str, str], name: str) -> float:
        try:
            return float(fields[name])
        except ValueError:
            problem = f"{name}={fields[name]} is not a number"
            raise InvalidFile(self.path, problem, line) from None


def split(path: Path) -> Iterator[Lines]:
    """Yield the numbered lines of each lattice. Raises `InvalidFile` like `raw_lines`."""
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
    """Return whether one of the first 100 lines of a file begins a lattice."""
    try:
        return any(_BEGIN.match(raw) for _, raw in islice(raw_lines(path), _MAX_COMMENTS))
    except InvalidFile:
        return False


def parse(path: Path, lines: Lines) -> LatticeFields:
    """Parse the fields of one lattice. Raises `InvalidFile` with the line number."""
    lattice = LatticeFields(path, lines[0][0] if lines else 1)
    for number, raw in lines:
        line = decode(path, number, raw)
        fields = dict(_FIELD.findall(line))
        if _MARKS.search(line):
            fields = {name: _string(value) for name, value in fields.items()}
        if fields and not line.startswith("#"):
            _take(lattice, number, fields)
    _check(lattice)
    return lattice


def _string(value: str) -> str:
    """Decode an HTK string: optional quotes; escapes such as `\\303` are UTF-8 or Latin-1 bytes."""
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
        value = value[1:-1]
    if "\\" not in value:
        return value
    content = b""
    for octal, escaped, plain in _ESCAPE.findall(value):
        content += bytes([int(octal, 8) & 255]) if octal else (escaped or plain).encode()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _check(lattice: LatticeFields) -> None:
    for number, link in lattice.links:
        for end in ("S", "E"):
            if link.get(end) not in lattice.nodes:
                problem = f"refers to node {link.get(end)}, which does not exist"
                raise InvalidFile(lattice.path, problem, number)
    for name, entries in (("N", len(lattice.nodes)), ("L", len(lattice.links))):
        if name in lattice.header and lattice.header[name] != str(entries):
            problem = f"header has {name}={lattice.header[name]}, found {entries}; is it truncated?"
            raise InvalidFile(lattice.path, problem)
    if not lattice.links:
        raise InvalidFile(lattice.path, "contains no links (J=…); is it in HTK's lattice format?")


def _take(lattice: LatticeFields, line: int, fields: Mapping[str, str]) -> None:
    """Store the fields of one line; the first field determines its kind."""
    first = next(iter(fields))
    if first in ("I", "NODE"):
        node = _short(fields, _NODE)
        if "L" in node:
            _refuse_sub_lattice(lattice, line, node["L"])
        if node["I"] in lattice.nodes:
            raise InvalidFile(lattice.path, f"duplicate node {node['I']}", line)
        lattice.nodes[node["I"]] = line, node
    elif first in ("J", "LINK"):
        lattice.links.append((line, _short(fields, _LINK)))
    elif first in ("SUBLAT", "S"):
        _refuse_sub_lattice(lattice, line, fields[first])
    else:
        lattice.header.update(_short(fields, _HEADER))


def _refuse_sub_lattice(lattice: LatticeFields, line: int, name: str) -> None:
    raise InvalidFile(lattice.path, f"sub-lattice {name} is not supported; expand it first", line)


def _short(fields: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    return {names.get(name, name): value for name, value in fields.items()}
