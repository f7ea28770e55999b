"""Reader of n-best lists from Kaldi's `nbest-to-linear` and n-best rescoring scripts.

A folder contains `words_text` (or `text`) with lines `UTT-N word word …`, and archives of costs
with lines `UTT-N number`: `acwt` or `ac_cost`, `lmwt.nolm` and others. N is the rank, from 1. A
cost is a negated natural logarithm, so the score is the negated number. The acoustic cost becomes
`acoustic_log_prob`; any other archive becomes a score named after its file. The scripts write one
such folder per job, `archives.1`, `archives.2` …; given their parent, all are read.
(Povey et al. 2011, the Kaldi toolkit; steps/rnnlmrescore.sh.)
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from wordgate.errors import InvalidFile
from wordgate.offline.formats import folders, text_archive
from wordgate.offline.formats.format_detection import is_binary_archive, kaldi_conversion
from wordgate.offline.lines import uncompressed
from wordgate.offline.reading_report import Reading
from wordgate.offline.utterances import Utterance
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.score_weights import ACOUSTIC

_TEXTS = ("words_text", "text")
_ACOUSTIC_COSTS = ("ac_cost", "acwt", "ac_costs", "accost")
_NUMBERS = {"ali": "alignments", "words": "word ids; words_text has the words"}
_RANKED = re.compile(r"(.+)-([1-9]\d{0,8})", re.ASCII)

_Texts = dict[str, tuple[int, str] | InvalidFile]
_Costs = Mapping[str, tuple[int, float] | InvalidFile]


def read(folder: Path, reading: Reading | None = None) -> Iterator[Utterance | InvalidFile]:
    """Yield the utterances of a folder, or of all folders `archives.N` in it.

    They are in the order of their first lines. Yields an `InvalidFile` in place of an invalid
    utterance. Raises `InvalidFile` if a folder cannot be read.
    """
    reading = reading or Reading.of_recogniser()
    archives = folders.numbered(folder, "archives")
    if not archives or any((folder / name).exists() for name in _TEXTS):
        archives = [folder]
    else:
        _account(folder, archives, reading)
    seen: dict[str, Path] = {}
    for archive in archives:
        for result in folders.each_alone(_archive(archive, reading), len(archives)):
            if isinstance(result, Utterance) and result.utt in seen:
                problem = f"duplicate utterance {result.utt}, also in {seen[result.utt]}"
                yield InvalidFile(result.path, problem, result.line)
                continue
            if isinstance(result, Utterance):
                seen[result.utt] = archive
            yield result


def _account(parent: Path, archives: Sequence[Path], reading: Reading) -> None:
    """Report which entries of a parent folder are read and which are skipped."""
    for path in folders.entries(parent):
        if path in archives:
            reading.use(path.name)
        else:
            reading.skip(path.name, "not a folder archives.N")


def _archive(folder: Path, reading: Reading) -> Iterator[Utterance | InvalidFile]:
    named = {uncompressed(path).name: path for path in folders.files(folder, reading)}
    texts_path = next((named[name] for name in _TEXTS if name in named), None)
    if texts_path is None:
        raise InvalidFile(folder, _without_text(named))
    _refuse_binary(texts_path)
    texts = text_archive.read(texts_path, text_archive.text)
    costs = _costs(named, texts_path, texts, reading)
    reading.use(texts_path.name)
    for result in _by_utterance(texts_path, texts):
        try:
            if isinstance(result, InvalidFile):
                raise result
            yield _utterance(*result, texts_path, texts, costs, reading)
        except InvalidFile as error:
            yield error


def _without_text(named: Mapping[str, Path]) -> str:
    problem = f"contains neither {_TEXTS[0]} nor {_TEXTS[1]}"
    if "words" in named:
        return f"{problem}; create it: utils/int2sym.pl -f 2- words.txt words > words_text"
    lattices = next((name for name in named if name.startswith(("lat.", "nbest"))), None)
    return f"{problem}; {kaldi_conversion(named[lattices])}" if lattices else problem


def _refuse_binary(path: Path) -> None:
    if is_binary_archive(path):
        raise InvalidFile(path, f"is a binary archive; {kaldi_conversion(None)}")


def _by_utterance(path: Path, texts: _Texts) -> Iterator[tuple[str, dict[int, str]] | InvalidFile]:
    """Yield each utterance with its keys by rank, or an `InvalidFile` for a key without a rank."""
    by_utterance: dict[str, dict[int, str]] = {}
    for key, entry in texts.items():
        parts = _RANKED.fullmatch(key)
        if parts is not None:
            by_utterance.setdefault(parts.group(1), {})[int(parts.group(2))] = key
            continue
        line = entry.line if isinstance(entry, InvalidFile) else entry[0]
        problem = f"has the key {key!r}, which is not UTT-N with a rank N of an n-best list"
        yield InvalidFile(path, f"{problem} (1, 2, 3 …)", line)
    yield from by_utterance.items()


def _utterance(
    utt: str,
    ranks: dict[int, str],
    path: Path,
    texts: _Texts,
    costs: Mapping[str, tuple[Path, _Costs]],
    reading: Reading,
) -> Utterance:
    keys = [key for _, key in sorted(ranks.items())]
    line, _ = text_archive.used(texts[keys[0]])
    if 1 not in ranks:
        problem = f"has {keys[0]} but not {utt}-1; ranks start at 1"
        raise InvalidFile(path, problem, line)
    heard = [
        Hypothesis(
            text_archive.used(texts[key])[1], {name: _cost(*costs[name], key) for name in costs}
        )
        for key in keys
    ]
    return Utterance(utt, [reading.heard(each) for each in heard], path, line)


def _cost(path: Path, costs: _Costs, key: str) -> float:
    if key not in costs:
        raise InvalidFile(path, f"missing line for {key}")
    return text_archive.used(costs[key])[1]


def _costs(
    named: Mapping[str, Path], texts_path: Path, texts: _Texts, reading: Reading
) -> dict[str, tuple[Path, _Costs]]:
    """Return the costs of each score with their file.

    An archive that lacks some candidates is skipped, unless it is the acoustic one.
    """
    acoustic = next((name for name in _ACOUSTIC_COSTS if name in named), None)
    files: dict[str, tuple[Path, _Costs]] = {}
    for name, path in named.items():
        if name == acoustic:
            _refuse_binary(path)
            files[ACOUSTIC] = path, text_archive.read(path, text_archive.cost)
            reading.use(f"{path.name} as {ACOUSTIC}")
            continue
        problem = _NUMBERS.get(name) or ("another text" if name in _TEXTS else None)
        if path == texts_path:
            continue
        if problem is None:
            costs, problem = _other_costs(path, texts)
            if problem is None:
                files[name] = path, costs
                reading.use(path.name)
                continue
        reading.skip(path.name, problem)
    return files


def _other_costs(path: Path, texts: _Texts) -> tuple[_Costs, str | None]:
    """Read the costs of a file of unknown content; also return why it cannot be used, or None."""
    try:
        if is_binary_archive(path):
            return {}, "a binary archive"
        costs = text_archive.read(path, text_archive.cost)
    except InvalidFile as error:
        return {}, error.problem
    if not any(key in costs for key in texts):
        return {}, "not an archive of costs of these candidates"
    for key in texts:
        entry = costs.get(key)
        if entry is None:
            return {}, f"no line for {key}"
        if isinstance(entry, InvalidFile):
            return {}, f"line {entry.line}: {entry.problem}"
    return costs, None
