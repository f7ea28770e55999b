"""Reader of lattices in HTK's Standard Lattice Format (the HTK Book, chapter 20).

Supports full and short field names, a logarithm base, scales and a word penalty in the header,
words on nodes or on links, and several lattices per file. Scores of arcs are natural logarithms:
`acoustic_log_prob`, `lm_log_prob`, `pronunciation_log_prob` and SRILM's extensions, if present, and
`first_pass_total` with the header's scales and penalty. If words are on nodes, tools differ in
whether a link's scores belong to the word at its start (PocketSphinx) or at its end (HTK). The
reader detects this, because acoustic scores of the same word between the same times are equal; the
user can also specify it.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path, PurePosixPath

from wordgate.errors import InvalidFile
from wordgate.offline.formats import folders, slf_fields
from wordgate.offline.formats.slf_fields import LatticeFields
from wordgate.offline.lines import uncompressed
from wordgate.offline.reading_report import MIN_SCORE, Reading
from wordgate.offline.utterances import Utterance
from wordgate.scoring.lattice import Arc, Lattice
from wordgate.scoring.score_weights import ACOUSTIC

LM = "lm_log_prob"
PRONUNCIATION = "pronunciation_log_prob"
TOTAL = "first_pass_total"

_NULL = "!NULL"
_SCORES = {
    "a": (ACOUSTIC, "acscale"),
    "l": (LM, "lmscale"),
    "r": (PRONUNCIATION, "prscale"),
    "n": ("ngram_log_prob", "ngscale"),
    "ds": ("duration_log_prob", "duscale"),
    **{f"x{number}": (f"x{number}", f"x{number}scale") for number in range(1, 10)},
}
"""Score names of link fields, and their scale factors in the header.

All but the first three are SRILM's extensions.
"""

_SCALED = {"wdpenalty", *(factor for _, factor in _SCORES.values())}
_NO_SCORES = {"J", "S", "E", "W", "v", "d"}
_SURE = 2.0
"""Odds above which a convention counts as detected; measured values were 2.5 to 50."""

_FEWEST = 4
"""Minimum number of pairs of links for detection."""

_LATTICES = (".slf", ".lat", ".htk")
_RECORDINGS = (".plp", ".mfc", ".fea", ".fbk", ".wav", ".sph", ".raw", ".rec", ".flac", *_LATTICES)
"""File suffixes to strip from UTTERANCE names."""


class ScoreAt(StrEnum):
    """Which node's word a link's scores belong to."""

    START = "start"
    END = "end"


def read(
    path: Path, score_at: ScoreAt | None = None, reading: Reading | None = None
) -> Iterator[Utterance | InvalidFile]:
    """Yield the utterances of a file, or of all files in a folder.

    Yields an `InvalidFile` in place of an invalid lattice. Raises `InvalidFile` if the path does
    not exist.
    """
    reading = reading or Reading.of_recogniser()
    names: Counter[str] = Counter()
    for each in _files(path, reading) if path.is_dir() else [path]:
        for result in _file(each, score_at, reading):
            if isinstance(result, Utterance):
                names[result.utt] += 1
            yield result
    for name, count in names.items():
        if count > 1:
            reading.note(f"{count:,} lattices have UTTERANCE={name}; their results share the name")


def read_lattice(path: Path, score_at: ScoreAt | None = None) -> Lattice:
    """Read the first lattice of a file.

    Raises `InvalidFile`, also if `score_at` is None and cannot be detected.
    """
    lines = next(slf_fields.split(path))
    parsed = slf_fields.parse(path, lines)
    return _lattice(parsed, score_at, Reading.of_recogniser())


def _files(folder: Path, reading: Reading) -> Iterator[Path]:
    """Yield the files of a folder with a lattice suffix or a lattice's first lines."""
    for path in folders.files(folder, reading):
        if uncompressed(path).suffix in _LATTICES or slf_fields.is_lattice(path):
            yield path
        else:
            reading.skip(path.name, "not a lattice")


def _file(
    path: Path, score_at: ScoreAt | None, reading: Reading
) -> Iterator[Utterance | InvalidFile]:
    stem = uncompressed(path).name
    for ending in _LATTICES:
        stem = stem.removesuffix(ending)
    unnamed = 0
    try:
        for lines in slf_fields.split(path):
            try:
                parsed = slf_fields.parse(path, lines)
                lattice = _lattice(parsed, score_at, reading)
            except InvalidFile as error:
                yield error
                continue
            name = _name(parsed.header)
            if name is None:
                unnamed += 1
                name = stem if unnamed == 1 else f"{stem}-{unnamed}"
            yield Utterance(name, [], path, parsed.line, lattice=lattice)
    except InvalidFile as error:  # from reading the file
        yield error
        return
    reading.use(path.name)


def _name(header: Mapping[str, str]) -> str | None:
    """Return the utterance's name without a folder and without the suffix of a recording."""
    named = PurePosixPath(header.get("U", "")).name
    for ending in _RECORDINGS:
        named = named.removesuffix(ending)
    return named or None


def _lattice(parsed: LatticeFields, score_at: ScoreAt | None, reading: Reading) -> Lattice:
    names = {name: number for number, name in enumerate(parsed.nodes)}
    on_links = any("W" in fields for _, fields in parsed.links)
    if on_links and any("W" in fields for _, fields in parsed.nodes.values()):
        raise InvalidFile(parsed.path, "words on both nodes and links; remove one of them")
    start, end = _ends(parsed)
    at = None if on_links else score_at or _detected(parsed)
    base = _base(parsed)
    fields_of_links = {name for _, fields in parsed.links for name in fields}
    present = [name for name in _SCORES if name in fields_of_links]
    for name in sorted(fields_of_links - _NO_SCORES - _SCORES.keys()):
        reason = "a posterior, not a score of a path" if name == "p" else "not a known score"
        reading.skip(f"{name}= of links", reason)
    arcs = []
    for line, fields in parsed.links:
        place = fields if on_links else parsed.nodes[fields["S" if at is ScoreAt.START else "E"]][1]
        label = reading.label(_word(place)) or _NULL
        scores = _scores(parsed, line, fields, present, base, label)
        arcs.append(Arc(names[fields["S"]], names[fields["E"]], label, scores))
    last, times = names[end], _times(parsed)
    edge = parsed.nodes[end if at is ScoreAt.START else start][1]
    if not on_links and not reading.null_labels.matches(_word(edge)):
        edge_name = "last" if at is ScoreAt.START else "first"
        problem = f"{edge_name} node has a word, which has no score"
        raise InvalidFile(parsed.path, f"{problem}; the first and last words must be !NULL")
    return Lattice(arcs, names[start], last, times)


def _word(fields: Mapping[str, str]) -> str:
    return fields.get("W") or _NULL


def _ends(found: LatticeFields) -> tuple[str, str]:
    """Return the start and end nodes: from the header, or the only ones without links in or out."""
    sources = {fields["S"] for _, fields in found.links}
    targets = {fields["E"] for _, fields in found.links}
    ends = []
    for name, others in (("start", targets), ("end", sources)):
        free = [node for node in found.nodes if node not in others]
        named = found.header.get(name)
        if named is None and not free:
            raise InvalidFile(found.path, f"no {name} node: the links form a cycle")
        if named is None and len(free) != 1:
            raise InvalidFile(found.path, f"{len(free)} possible {name} nodes; specify {name}=")
        if named is not None and named not in found.nodes:
            raise InvalidFile(found.path, f"{name}={named} refers to a node that does not exist")
        ends.append(named or free[0])
    return ends[0], ends[1]


def _base(found: LatticeFields) -> float:
    """Return the base of the file's logarithms, or 0 if it contains probabilities."""
    base = found.number(1, found.header, "base", math.e)
    if base != 0 and base <= 1:
        problem = f"base={base:g}; must be above 1 (logarithms) or 0 (probabilities)"
        raise InvalidFile(found.path, problem)
    return base


def _scores(
    found: LatticeFields,
    line: int,
    fields: dict[str, str],
    present: list[str],
    base: float,
    label: str,
) -> dict[str, float]:
    scores = {}
    header = found.header
    unit = math.log(base) if base else 1.0
    total = unit * found.number(1, header, "wdpenalty", 0.0) * (label != _NULL)
    for name in present:
        score, factor = _SCORES[name]
        value = found.score(line, fields, name, base)
        scores[score] = value
        total += value * found.number(1, header, factor, 1.0)
    if _SCALED & header.keys():
        scores[TOTAL] = max(total, MIN_SCORE)
    return scores


def _times(found: LatticeFields) -> list[float]:
    """Return the times of all nodes in seconds, or none unless all nodes have times."""
    lines = found.nodes.values()
    if any("t" not in fields for _, fields in lines):
        return []
    return [found.number(line, fields, "t", 0.0) for line, fields in lines]


def _detected(found: LatticeFields) -> ScoreAt:
    """Detect which node's word the scores belong to. Raises `InvalidFile` if it is unclear.

    A score of the word at the start is equal for all links from its node to nodes of the same time;
    a score of the word at the end, for all links to its node from nodes of the same time.
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
    problem = "cannot detect whether a link's scores belong to the word at its start or its end"
    raise InvalidFile(found.path, f"{problem}; specify --score-at start or --score-at end")


def _pairs(found: LatticeFields, word: str, other: str) -> tuple[int, int]:
    """Count pairs of links of one node and time whose other words differ, and those with equal
    scores."""
    groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for _, fields in found.links:
        if "a" in fields:
            there = found.nodes[fields[other]][1]
            groups[fields[word], there.get("t", "")][_word(there)] = fields["a"]
    pairs = sum(len(group) - 1 for group in groups.values())
    return pairs, sum(len(group) - len(set(group.values())) for group in groups.values())
