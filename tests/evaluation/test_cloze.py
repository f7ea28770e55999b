"""Cloze tests."""

from pathlib import Path

import pytest
from tests.evaluation.answers import GivenAnswers

from wordgate.errors import InvalidFile
from wordgate.evaluation import cloze
from wordgate.evaluation.cloze import Question
from wordgate.text import words
from wordgate.text.normalization import normalise


def test_there_are_fifty_of_our_own() -> None:
    """50 different questions, each with a context, one good and one bad word."""
    found = cloze.own_questions()
    assert len(found) == len(set(found)) == 50
    for question in found:
        assert question.good != question.bad
        assert words.split(question.context)
        for word in (question.good, question.bad):
            assert words.split(word) == [word] == [normalise(word)]
    contexts = {question.context: question for question in found}
    assert contexts["the clouds are in the"].good == "sky"
    assert (contexts["the keys to the cabinet"].good, contexts["the keys to the cabinet"].bad) == (
        "are",
        "is",
    )


def test_a_file_has_comments_and_empty_lines() -> None:
    """`#` begins a comment; columns after the third are ignored."""
    document = "# context\tgood\tbad\n\nthe sun is\tup\tdown\tnotes\n"
    assert cloze.parse(document, Path("q.tsv")) == [Question("the sun is", "up", "down")]


@pytest.mark.parametrize("line", ["only\ttwo", "no good\t \tbad", "no bad\tgood\t"])
def test_a_line_with_too_few_columns_is_named(tmp_path: Path, line: str) -> None:
    """The message names file and line; an empty word is rejected too."""
    file = tmp_path / "q.tsv"
    file.write_text(f"a\tb\tc\n\n{line}\n")
    with pytest.raises(InvalidFile, match=r"q\.tsv:3: requires context") as refused:
        cloze.read(file)
    assert refused.value.line == 3


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    """A file without questions is rejected."""
    file = tmp_path / "q.tsv"
    file.write_text("# only a comment\n")
    with pytest.raises(InvalidFile, match="is empty: no question"):
        cloze.read(file)


def test_a_good_word_is_looked_for_in_normal_form() -> None:
    """The good word matches a suggestion regardless of its case."""
    model = GivenAnswers({}, {"in": ["Paris", "London"]})
    [answered] = cloze.ask(model, [Question("I live in", "London", "Table")])
    assert (answered.rank, answered.in_top) == (1, True)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    """A missing file and a non-UTF-8 file are rejected by name."""
    file = tmp_path / "q.tsv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidFile, match=r"q\.tsv(: does not exist|:1: is not UTF-8)"):
        cloze.read(file)


def test_good_words_are_compared_and_looked_for() -> None:
    """The good word must be more likely; ranks are from 0 to 2; a tie is wrong."""
    model = GivenAnswers(
        {"up": -1.0, "down": -2.0, "east": -3.0}, {"is": ["Here", "Up"], "the": ["a", "b", "c"]}
    )
    asked = [Question("it is", "up", "down"), Question("in the", "down", "up")]
    asked.append(Question("in the", "west", "north"))
    first, second, tie = cloze.ask(model, asked)
    assert (first.is_right, first.rank, first.in_top) == (True, 1, True)
    assert (second.is_right, second.rank, second.in_top) == (False, None, False)
    assert not tie.is_right
    assert (first.good_log_prob, first.bad_log_prob) == (-1.0, -2.0)
