"""The generated language: its answers are right by construction."""

from pathlib import Path
from random import Random

import pytest

from clue_language import (
    COLOURS,
    DISTANCES,
    MAX_DISTANCE,
    NOUNS,
    TASKS,
    WORDS,
    agreement,
    hardest_questions,
    recall,
    write_text,
)

PLURALS = {f"{noun}s" for noun in NOUNS}


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_verb_agrees_with_the_first_noun(distance: int) -> None:
    """The subject decides the verb, and all nouns in between have the other number."""
    for question in hardest_questions("agreement", distance, 50):
        subject, *between = question.words
        assert len(question.words) == distance
        assert question.answer == ("are" if subject in PLURALS else "is")
        nouns = [word for word in between if word in {*NOUNS, *PLURALS}]
        assert len(nouns) == (distance - 1) // 2
        assert all((noun in PLURALS) != (subject in PLURALS) for noun in nouns)


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_first_colour_is_recalled(distance: int) -> None:
    """The answer is the first word, and no other colour comes in between."""
    for question in hardest_questions("recall", distance, 50):
        assert len(question.words) == distance
        assert question.answer == question.words[0]
        assert not set(question.words[1:]) & set(COLOURS)


def test_nouns_of_the_training_text_mislead_half_of_the_time() -> None:
    """The nearest noun of the training text says nothing about the verb."""
    answers = [agreement(Random(seed), 9) for seed in range(2000)]
    agreeing = sum((q.words[-1] in PLURALS) == (q.answer == "are") for q in answers)
    assert 0.45 < agreeing / 2000 < 0.55


def test_every_answer_is_equally_frequent() -> None:
    """Guessing one choice is right as often as chance."""
    random = Random(1)
    for task, choices in ((agreement, 2), (recall, 8)):
        answers = [task(random, 3).answer for _ in range(4000)]
        assert all(0.8 < answers.count(a) * choices / 4000 < 1.2 for a in set(answers))
        assert len(set(answers)) == choices


def test_the_text_is_the_same_each_time_and_other_than_the_questions(tmp_path: Path) -> None:
    """Training lines are reproducible, of all lengths, and made of the language's words."""
    for name in ("a", "b"):
        write_text(tmp_path / name, 1000)
    for task in TASKS:
        text = (tmp_path / "a" / f"{task}.txt").read_text()
        assert text == (tmp_path / "b" / f"{task}.txt").read_text()
        lines = [line.split() for line in text.splitlines()]
        assert len(lines) == 1000
        assert {word for line in lines for word in line} <= set(WORDS)
        lengths = [len(line) - 1 for line in lines]
        assert min(lengths) == 1
        assert MAX_DISTANCE - 4 <= max(lengths) <= MAX_DISTANCE
        asked = {question.words for question in hardest_questions(task, MAX_DISTANCE, 50)}
        assert not asked & {tuple(line[:-1]) for line in lines}
