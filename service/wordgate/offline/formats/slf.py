"""Lattices in HTK's Standard Lattice Format (the HTK Book, chapter 20), one or several in a file.

Full and short names of fields, a logarithm's base, scales and a word penalty in the header, words
on nodes or on links. They become scores of arcs, natural logarithms: `acoustic_log_prob`,
`lm_log_prob`, `pronunciation_log_prob` and those that SRILM adds, as far as a file has them, and
`first_pass_total` with the header's scales and penalty. Where words stand on nodes, writers differ
in whether a link's scores belong to the word at its start (PocketSphinx) or at its end (HTK):
acoustic scores of the same word between the same moments are equal, which tells the two apart, or
the user does.
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
from wordgate.offline.reading_report import LEAST, Reading
from wordgate.offline.utterances import Utterance
from wordgate.scoring.lattice import Arc, Lattice
from wordgate.scoring.weighting import ACOUSTIC

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
"""Scores of links with their factors in the header; those beyond HTK's three are SRILM's."""

_SCALED = {"wdpenalty", *(factor for _, factor in _SCORES.values())}
_NO_SCORES = {"J", "S", "E", "W", "v", "d"}
_SURE = 2.0
"""Odds above which a convention is taken for found; 2.5 to 50 in what was measured."""

_FEWEST = 4
"""Pairs of links to be compared; fewer show nothing."""

_LATTICES = (".slf", ".lat", ".htk")
_RECORDINGS = (".plp", ".mfc", ".fea", ".fbk", ".wav", ".sph", ".raw", ".rec", ".flac", *_LATTICES)
"""Endings of what an UTTERANCE is named for, which are not a part of its name."""


class ScoreAt(StrEnum):
    """Which node's word a link's scores belong to."""

    START = "start"
    END = "end"


def read(
    path: Path, score_at: ScoreAt | None = None, reading: Reading | None = None
) -> Iterator[Utterance | InvalidFile]:
    """The utterances of a folder, by file, or of one file; an `InvalidFile` in place of a lattice
    that cannot be used. Raises `InvalidFile` when there is no such folder or file."""
    reading = reading or Reading.of_recogniser()
    names: Counter[str] = Counter()
    for each in _files(path, reading) if path.is_dir() else [path]:
        for found in _file(each, score_at, reading):
            if isinstance(found, Utterance):
                names[found.utt] += 1
            yield found
    for name, count in names.items():
        if count > 1:
            reading.note(f"{count:,} lattices say UTTERANCE={name}; their results have one name")


def read_lattice(path: Path, score_at: ScoreAt | None = None) -> Lattice:
    """The first lattice of a file. Raises `InvalidFile`, also when it does not say what its scores
    belong to."""
    lines = next(slf_fields.split(path))
    found = slf_fields.parse(path, lines)
    return _lattice(found, score_at, Reading.of_recogniser())


def _files(folder: Path, reading: Reading) -> Iterator[Path]:
    """The files of a folder that are named as lattices, or look like one."""
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
                found = slf_fields.parse(path, lines)
                lattice = _lattice(found, score_at, reading)
            except InvalidFile as error:
                yield error
                continue
            name = _name(found.header)
            if name is None:
                unnamed += 1
                name = stem if unnamed == 1 else f"{stem}-{unnamed}"
            yield Utterance(name, [], path, found.line, lattice=lattice)
    except InvalidFile as error:  # from reading on
        yield error
        return
    reading.use(path.name)


def _name(header: Mapping[str, str]) -> str | None:
    """The utterance's name without a folder or the ending of a recording."""
    named = PurePosixPath(header.get("U", "")).name
    for ending in _RECORDINGS:
        named = named.removesuffix(ending)
    return named or None


def _lattice(found: LatticeFields, score_at: ScoreAt | None, reading: Reading) -> Lattice:
    names = {name: number for number, name in enumerate(found.nodes)}
    on_links = any("W" in fields for _, fields in found.links)
    if on_links and any("W" in fields for _, fields in found.nodes.values()):
        raise InvalidFile(found.path, "has words on nodes and on links; one of the two must go")
    start, end = _ends(found)
    at = None if on_links else score_at or _detected(found)
    base = _base(found)
    fields_of_links = {name for _, fields in found.links for name in fields}
    present = [name for name in _SCORES if name in fields_of_links]
    for name in sorted(fields_of_links - _NO_SCORES - _SCORES.keys()):
        reason = "a posterior, not a score of a path" if name == "p" else "not a known score"
        reading.skip(f"{name}= of links", reason)
    arcs = []
    for line, fields in found.links:
        place = fields if on_links else found.nodes[fields["S" if at is ScoreAt.START else "E"]][1]
        label = reading.label(_word(place)) or _NULL
        scores = _scores(found, line, fields, present, base, label)
        arcs.append(Arc(names[fields["S"]], names[fields["E"]], label, scores))
    last, times = names[end], _times(found)
    edge = found.nodes[end if at is ScoreAt.START else start][1]
    if not on_links and not reading.null_labels.matches(_word(edge)):
        problem = "has a word on its last node" if at is ScoreAt.START else "begins with a word"
        raise InvalidFile(found.path, f"{problem}, which has no score; end and begin with !NULL")
    return Lattice(arcs, names[start], last, times)


def _word(fields: Mapping[str, str]) -> str:
    return fields.get("W") or _NULL


def _ends(found: LatticeFields) -> tuple[str, str]:
    """The first and the last node: the header's, or the only ones without a way in or out."""
    sources = {fields["S"] for _, fields in found.links}
    targets = {fields["E"] for _, fields in found.links}
    ends = []
    for name, others in (("start", targets), ("end", sources)):
        free = [node for node in found.nodes if node not in others]
        named = found.header.get(name)
        if named is None and not free:
            raise InvalidFile(found.path, f"has no node to {name} with: links lead in a circle")
        if named is None and len(free) != 1:
            raise InvalidFile(found.path, f"has {len(free)} nodes to {name} with; say {name}=")
        if named is not None and named not in found.nodes:
            raise InvalidFile(found.path, f"has no node {named}, its {name}")
        ends.append(named or free[0])
    return ends[0], ends[1]


def _base(found: LatticeFields) -> float:
    """The base of the file's logarithms; 0 where it has probabilities."""
    base = found.number(1, found.header, "base", math.e)
    if base != 0 and base <= 1:
        problem = f"has base={base:g}; send logarithms (base above 1) or probabilities (base=0)"
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
        scores[TOTAL] = max(total, LEAST)
    return scores


def _times(found: LatticeFields) -> list[float]:
    """The seconds of all nodes, if all have them."""
    lines = found.nodes.values()
    if any("t" not in fields for _, fields in lines):
        return []
    return [found.number(line, fields, "t", 0.0) for line, fields in lines]


def _detected(found: LatticeFields) -> ScoreAt:
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


def _pairs(found: LatticeFields, word: str, other: str) -> tuple[int, int]:
    """Pairs of links of one node and time whose other words differ, and those of equal scores."""
    groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for _, fields in found.links:
        if "a" in fields:
            there = found.nodes[fields[other]][1]
            groups[fields[word], there.get("t", "")][_word(there)] = fields["a"]
    pairs = sum(len(group) - 1 for group in groups.values())
    return pairs, sum(len(group) - len(set(group.values())) for group in groups.values())
