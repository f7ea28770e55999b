"""Detect input files in a different format than --format says, and suggest a remedy."""

import re
from pathlib import Path

from wordgate.errors import InvalidFile
from wordgate.offline.lines import raw_lines

_HEAD_LINES = 40
_HEAD_BYTES = 1 << 16
_FLAG = "use --format "

_NBEST_TO_LINEAR = "ark,t:ali ark,t:words ark,t:lmwt.nolm ark,t:acwt"
_WORDS = "utils/int2sym.pl -f 2- words.txt words > words_text"
_LATTICE = "lattice-to-nbest --n=100 LATTICES ark:- | nbest-to-linear ark:-"
_PRINT = (
    "which has no candidates to rank; examples/correct_print.py generates and ranks candidates for "
    "a page, or write your own as JSON lines (docs/scoring.md)"
)

_KINDS: tuple[tuple[str, re.Pattern[bytes], str], ...] = (
    ("", re.compile(rb"\s*<.*?(ocr_page|ocrx_word|ocr-system)", re.DOTALL), f"is hOCR, {_PRINT}"),
    ("", re.compile(rb"level\tpage_num\tblock_num"), f"is tesseract's TSV, {_PRINT}"),
    ("", re.compile(rb"(\S+ )?\0B"), "is a binary Kaldi archive; "),
    (
        "",
        re.compile(rb"\S+ ?\r?\n\d+\s+\d+\s+\S+(\s+[-+.\deE,_]+)?\r?\n"),
        "is a Kaldi lattice; ",
    ),
    (
        "vosk",
        re.compile(
            rb'\s*\[?\s*\{\s*["\'](alternatives|partial|result|text)["\'](?!.*"candidates")',
            re.DOTALL,
        ),
        f"is vosk output; {_FLAG}vosk",
    ),
    ("jsonl", re.compile(rb"\s*\{"), f"is JSON; {_FLAG}jsonl"),
    (
        "slf",
        re.compile(rb".*?^\s*(VERSION|V)=.*^\s*(N|NODES|I|NODE)=", re.DOTALL | re.MULTILINE),
        f"is a lattice in HTK's format; {_FLAG}slf",
    ),
    (
        "srilm",
        re.compile(
            rb"NBestList[12]\.0|(name \S+\s+)?numaligns \d|-?\d[.\de+-]* -?\d[.\de+-]* \d+ \S"
        ),
        f"is an SRILM n-best list or word mesh; {_FLAG}srilm",
    ),
)


def reject_other_format(path: Path, expected: str) -> None:
    """Raise `InvalidFile` if a file is certainly not in the expected format.

    The message names the actual format and a remedy. Missing files are left to the reader, and so
    are pipes, which can be read only once.
    """
    if path.is_dir():
        if expected in {"jsonl", "nemo"}:
            problem = "is a folder; folders require --format kaldi, espnet, slf, srilm or vosk"
            raise InvalidFile(path, problem)
        return
    if not path.is_file():
        return
    head = _head(path)
    for kind, pattern, problem in _KINDS:
        if kind and expected == "nemo":
            continue  # any text may be a NeMo line
        if pattern.match(head):
            if kind == expected:
                return
            conversion = kaldi_conversion(path) if "Kaldi" in problem else ""
            raise InvalidFile(path, problem + conversion)


def is_binary_archive(path: Path) -> bool:
    """Return whether a file is a binary Kaldi archive."""
    return re.match(rb"(\S+ )?\0B", _head(path)) is not None


def kaldi_conversion(lattices: Path | None) -> str:
    """Return the commands that convert n-best lists, or lattices, to text archives."""
    if lattices is None:
        return f"write text archives: nbest-to-linear ark:NBEST {_NBEST_TO_LINEAR}; then {_WORDS}"
    source = _LATTICE.replace("LATTICES", _reading(lattices))
    return f"convert it to n-best lists: {source} {_NBEST_TO_LINEAR}; then {_WORDS}"


def _reading(path: Path) -> str:
    return f'"ark:gunzip -c {path.name}|"' if path.suffix == ".gz" else f"ark:{path.name}"


def _head(path: Path) -> bytes:
    """Return the beginning of a file, decompressed; empty if it cannot be read."""
    head = b""
    try:
        for number, raw in raw_lines(path):
            head += raw[:_HEAD_BYTES]
            if number >= _HEAD_LINES or len(head) >= _HEAD_BYTES:
                break
    except InvalidFile:
        pass
    return head.removeprefix("\ufeff".encode())
