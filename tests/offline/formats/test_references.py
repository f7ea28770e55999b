"""References in the formats of scoring tools."""

import gzip
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgate.errors import InvalidFile
from wordgate.evaluation.error_rate import Counting, Normalise, Unit
from wordgate.offline.alternations import Alternation, parse
from wordgate.offline.formats import references


def _read(tmp_path: Path, name: str, text: str) -> dict[str, object]:
    (tmp_path / name).write_text(text, "utf-8")
    return dict(references.read(tmp_path / name))


def test_a_trn_has_alternatives_and_comments(tmp_path: Path) -> None:
    """`@` is empty, alternatives can be nested, and `;;` begins a comment."""
    said = ";; a comment\ni am { gonna / going to / @ } go (a)\n{ x { y / z } / @ } (b)\n@ (c)\n"
    found = _read(tmp_path, "said.trn", said)
    assert found == {
        "a": Alternation((("i am",), ("gonna", "going to", ""), ("go",))),
        "b": Alternation((("x y", "x z", ""),)),
        "c": "@",
    }


def test_keyed_lines_have_comments_too(tmp_path: Path) -> None:
    """Byte order mark, Windows line ends and comments are ignored."""
    assert _read(tmp_path, "text", "\ufeffa i { am\r\n;; b\n;; c\n") == {"a": "i { am"}


def test_an_stm_is_joined_by_recording(tmp_path: Path) -> None:
    """Segments are joined in order of time, without labels and ignored segments."""
    said = (
        ";; comment\n"
        "rec1 A spk 5.0 6.0 <o,f0,male> again { uh / @ }\n"
        "rec1 A spk 1.0 2.0 <o> the sun\n"
        "rec1 A spk 3.0 4.0 ignore_time_segment_in_scoring\n"
        "rec2 A spk 0 1\n"
    )
    assert _read(tmp_path, "said.stm", said) == {
        "rec1": Alternation((("the sun",), ("again",), ("uh", ""))),
        "rec2": "",
    }


def test_a_ctm_is_joined_by_recording(tmp_path: Path) -> None:
    """Words are joined in order of time; the confidence is optional."""
    (tmp_path / "said.ctm.gz").write_bytes(
        gzip.compress(b"a 1 0.5 0.2 sun 0.9\na 1 0.0 0.2 the\nb 1 0 1 x\n")
    )
    assert references.read(tmp_path / "said.ctm.gz") == {"a": "the sun", "b": "x"}


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("a.trn", "x { a / b (u)\n", "a.trn:1: has a { without a }"),
        ("a.trn", "x } (u)\n", "a.trn:1: has a } without a {"),
        ("a.trn", "x (u)\ny (u)\n", "a.trn:2: duplicate utterance u"),
        ("a.trn", "{ " + "{ a / b } " * 11 + "} (u)\n", "more than 1,000 texts"),
        ("a.trn", ";; nothing\n", "contains no references"),
        ("a.stm", "a 1 spk x 2 w\n", "a.stm:1: column 4 is not a number of seconds"),
        ("a.ctm", "a 1 0\n", "a.ctm:1: column 4 is not a number of seconds"),
        ("a.ctm", "a 1 0 1\n", "a.ctm:1: expected recording"),
        ("a.ctm", "a 1 * * <ALT_BEGIN>\n", "use a .trn"),
        ("text", "u a\nu b\n", "text:2: duplicate key u"),
        ("text", '{"text": "a"}\n', "is JSON; expected lines"),
    ],
)
def test_bad_references_are_named(tmp_path: Path, name: str, text: str, named: str) -> None:
    """The message names the file, the line and the problem."""
    with pytest.raises(InvalidFile) as refused:
        _read(tmp_path, name, text)
    assert named in str(refused.value)


def test_errors_are_those_against_the_nearest_alternative() -> None:
    """Each alternative is correct; the length is that of the first."""
    said = parse("i am { gonna / going to / @ } go")
    counting = Counting()
    heard = ["i am gonna go", "i am going to go", "i am go", "i am gone", "am going go"]
    assert counting.errors([said] * 5, heard) == [0, 0, 0, 1, 2]
    assert counting.length(said) == 4
    assert counting.errors(["a b", said], ["a", "i am go"]) == [1, 0]
    assert Counting(Normalise.BASIC).errors([parse("{ I'm / I am } Going!")], ["i am going"]) == [0]
    assert Counting(unit=Unit.CHAR).errors([parse("a { b / cd } e")], ["a cx e"]) == [1]


_WORDS = st.lists(st.sampled_from("abc"), max_size=3).map(" ".join)
_PARTS = st.lists(st.lists(_WORDS, min_size=1, max_size=3).map(tuple), min_size=1, max_size=4)


@given(_PARTS, _WORDS, st.sampled_from(list(Unit)))
def test_alternatives_count_as_if_written_out(
    parts: list[tuple[str, ...]], heard: str, unit: Unit
) -> None:
    """The errors equal the minimum over all enumerated texts."""
    counting = Counting(unit=unit)
    every = [" ".join(filter(None, chosen)) for chosen in product(*parts)]
    fewest = min(counting.errors(every, [heard] * len(every)))
    assert counting.errors([Alternation(tuple(parts))], [heard]) == [fewest]
