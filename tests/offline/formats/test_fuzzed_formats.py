"""Fuzzing: readers accept any file content or report file and line."""

import gzip
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgate.errors import InvalidFile
from wordgate.offline.formats import (
    candidates,
    espnet,
    jsonl,
    kaldi,
    nemo,
    references,
    slf,
    srilm,
    vosk,
)
from wordgate.offline.formats.format_detection import reject_other_format
from wordgate.offline.records import raise_on_error

# What lines of these formats are made of, so that not all ends at the first token.
_PARTS = st.sampled_from(
    [
        *("a-1", "a-2", "b-1", "utt", "the", "sun", "-12.5", "1e999", "nan", "3", "2", "0", "-1"),
        *("٣", "²", "(", "(a)", "<s>", "!NULL", "\t", "\x00", "\u2028", "\ufeff", "NBestList1.0"),
        *("VERSION=1.0", "N=2", "L=1", "N=", "I=0", "I=1", "t=0.5", "J=0", "S=0", "E=1", "W=sun"),
        *("a=-3", "l=x", "base=10", "start=0", "end=1", "SUBLAT", "lmscale=1e400"),
        *('{"utt":', '"text"', '"audio_filepath"', '"candidates"', "[", "]", "{", "}", ":", ","),
        *("align", "0 the 0.5 sun 0.5", "name", "{ a / @ }", ";;", "a A s 0.0 1.0", "<o>", "<ALT>"),
        *('{"alternatives":[{"text":"a","confidence":1}]}', '{"alternatives":[3]}'),
        *('{"candidates":["a"]}', '{"candidates":[{"text":"a","am":1e999}]}', '{"text":3}'),
    ]
)
_LINES = st.lists(_PARTS, max_size=9).map(" ".join)
_CONTENTS = st.one_of(
    st.lists(_LINES, max_size=8).map("\n".join).map(str.encode),
    st.lists(_LINES, max_size=3).map("\n".join).map(str.encode).map(gzip.compress),
    st.binary(max_size=60),
)

_FILES = ("a", "words_text", "ac_cost", "1best_recog/text", "1best_recog/score", "m")
READERS: dict[str, Callable[[Path], Iterator[Any]]] = {
    "jsonl": lambda folder: jsonl.read(folder / "a"),
    "packed": lambda folder: jsonl.read(_renamed(folder / "a", "a.jsonl.gz")),
    "candidates": lambda folder: candidates.read(folder / "a"),
    "plain": lambda folder: candidates.read(_renamed(folder / "a", "a.txt")),
    "kaldi": kaldi.read,
    "espnet": espnet.read,
    "nemo": lambda folder: nemo.read(folder / "a", folder / "m", 1),
    "srilm": lambda folder: srilm.read(_emptied(folder)),
    "mesh": lambda folder: srilm.read(_begun(folder / "a", b"numaligns 2\n")),
    "vosk": lambda folder: vosk.read(folder / "a"),
    "slf": lambda folder: slf.read(folder / "a", None),
    "slf-told": lambda folder: slf.read(folder / "a", slf.ScoreAt.END),
    "references": lambda folder: iter(references.read(folder / "a").items()),
    "trn": lambda folder: iter(references.read(_renamed(folder / "a", "a.trn")).items()),
    "stm": lambda folder: iter(references.read(_renamed(folder / "a", "a.stm")).items()),
    "ctm": lambda folder: iter(references.read(_renamed(folder / "a", "a.ctm")).items()),
    "foreign": lambda folder: _recognised(folder / "a"),
}
_OF_LINES = {"jsonl", "packed", "candidates", "plain"}
"""Formats of which each line is a record."""


def _recognised(path: Path) -> Iterator[None]:
    reject_other_format(path, "kaldi")
    yield


def _begun(path: Path, line: bytes) -> Path:
    """Return the file with another line prepended."""
    path.write_bytes(line + path.read_bytes())
    return path


def _renamed(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


def _emptied(folder: Path) -> Path:
    """Return the folder with a single file."""
    only = folder / "only"
    only.mkdir()
    (folder / "a").rename(only / "a")
    return only


@pytest.mark.parametrize("name", READERS)
@settings(deadline=None, max_examples=60)
@given(st.lists(_CONTENTS, min_size=len(_FILES), max_size=len(_FILES)))
def test_files_of_any_content_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, contents: list[bytes]
) -> None:
    """No content raises an error that does not name the file."""
    folder = tmp_path_factory.mktemp("fuzzed")
    (folder / "1best_recog").mkdir()
    for file, content in zip(_FILES, contents, strict=True):
        (folder / file).write_bytes(content)
    problems: list[InvalidFile] = []
    try:
        found = list(READERS[name](folder))
        problems = [each for each in found if isinstance(each, InvalidFile)]
        assert all(problem.line for problem in problems if name in _OF_LINES)
    except InvalidFile as error:
        problems = [error]
    assert all(folder in problem.path.parents or problem.path == folder for problem in problems)


def test_the_parts_make_good_files_too(tmp_path: Path) -> None:
    """The generated content includes a valid file of each kind."""
    (tmp_path / "a").write_text('{"candidates":["a"]}')
    assert len(list(jsonl.read(tmp_path / "a"))) == 1
    (tmp_path / "words_text").write_text("a-1 the sun\n")
    (tmp_path / "ac_cost").write_text("a-1 -12.5\n")
    (tmp_path / "a").unlink()
    [found] = raise_on_error(kaldi.read(tmp_path))
    assert math.isclose(found.hypotheses[0].scores["acoustic_log_prob"], 12.5)
