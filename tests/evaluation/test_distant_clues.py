"""Cloze questions with distant clues."""

import math

import pytest
from tests.evaluation.answers import GivenAnswers

from wordgate.evaluation.distant_clues import DISTANCES, QUESTIONS, Question, ask, figures, table
from wordgate.text import words
from wordgate.text.normalization import normalise


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.expected)
@pytest.mark.parametrize("distance", DISTANCES)
def test_the_clue_is_as_far_away_as_stated(question: Question, distance: int) -> None:
    """Between the clue and the expected word lie exactly `distance` words."""
    cut = words.split(normalise(question.history(distance, with_clue=True)))
    [clue] = [place for place, word in enumerate(cut) if word in ("clouds", "france")]
    assert len(cut) - clue - 1 == distance
    without = words.split(normalise(question.history(distance, with_clue=False)))
    assert without == cut[clue + 2 :]


def test_an_answer_is_probability_and_rank() -> None:
    """The rank counts from 1 and is missing where the word is not suggested."""
    sky, french = QUESTIONS
    model = GivenAnswers({"sky": math.log(0.25)}, {"the": ["air", "Sky"], "fluent": ["English"]})
    assert ask(model, sky, 5, with_clue=True).rank == 2
    assert ask(model, sky, 5, with_clue=True).probability == pytest.approx(0.25)
    assert ask(model, french, 5, with_clue=True).rank is None


def test_the_table_has_a_row_for_each_question_and_distance() -> None:
    """Rows state percentages; a missing rank is shown as below 100."""
    model = GivenAnswers({"sky": math.log(0.25)}, {"the": ["air", "sky"]})
    lines = table(figures(model))
    assert len(lines) == 2 + len(QUESTIONS) * len(DISTANCES)
    assert lines[2] == "| sky | 5 | 25.00 % | 2 | 25.00 % | 2 |"
    assert lines[-1] == "| French | 100 | 0.00 % | > 100 | 0.00 % | > 100 |"
