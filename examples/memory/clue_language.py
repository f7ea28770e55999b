"""A generated language in which the first word of a line decides its last word.

    agreement   cats near dog under bird here are     a subject's number, over other nouns
    recall      red mi sol la mi red                  a colour that is repeated

The distance of an answer is the number of words before it: it lies that many tokens after its clue.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

NOUNS = ("cat", "dog", "bird", "horse", "boy", "girl", "king", "queen")
PREPOSITIONS = ("near", "under", "behind", "with")
ADVERBS = ("here", "there", "now", "today")
VERBS = ("is", "are")
"""The verb of a singular and of a plural subject."""

COLOURS = ("red", "blue", "green", "gold", "grey", "pink", "black", "white")
NOTES = ("do", "mi", "fa", "sol", "la", "ti")
WORDS = (*NOUNS, *(f"{noun}s" for noun in NOUNS), *PREPOSITIONS, *ADVERBS, *VERBS, *COLOURS, *NOTES)

MAX_DISTANCE = 64
"""Greatest distance in the training text."""

DISTANCES = (1, 2, 4, 8, 16, 32, MAX_DISTANCE)
"""Distances of the questions."""


@dataclass(frozen=True)
class Question:
    """The words before an answer, of which the first is the clue, the answer and all choices."""

    words: tuple[str, ...]
    answer: str
    choices: tuple[str, ...]


def agreement(random: Random, distance: int, misleading_share: float = 0.5) -> Question:
    """Return a subject and, after `distance - 1` words with nouns in between, its verb.

    `misleading_share` is the probability that a noun in between has the other number.
    """
    plural = random.random() < 0.5
    words = [_noun(random, plural)]
    for _ in range((distance - 1) // 2):
        other = random.random() < misleading_share
        words += [random.choice(PREPOSITIONS), _noun(random, plural != other)]
    if distance % 2 == 0:
        words.append(random.choice(ADVERBS))
    return Question(tuple(words), VERBS[plural], VERBS)


def recall(random: Random, distance: int, misleading_share: float = 0.5) -> Question:
    """Return a colour and, after `distance - 1` notes, the same colour. Notes do not mislead."""
    colour = random.choice(COLOURS)
    return Question((colour, *random.choices(NOTES, k=distance - 1)), colour, COLOURS)


TASKS: dict[str, Callable[[Random, int, float], Question]] = {
    "agreement": agreement,
    "recall": recall,
}


def write_text(folder: Path, lines: int, seed: int = 1) -> None:
    """Write the training text: a file of `lines` lines for each task.

    Distances are log-uniform from 1 to `MAX_DISTANCE`. A noun between a subject and its verb has
    the other number in half of the cases.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in TASKS:
        random = Random(f"{name} {seed}")
        text = "".join(_lines(random, name, lines))
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")


def hardest_questions(task: str, distance: int, count: int, seed: int = 2) -> list[Question]:
    """Return questions at one distance. All nouns between a subject and its verb mislead."""
    random = Random(f"{task} {distance} {seed}")
    return [TASKS[task](random, distance, 1.0) for _ in range(count)]


def _lines(random: Random, task: str, count: int) -> Iterator[str]:
    for _ in range(count):
        question = TASKS[task](random, round(MAX_DISTANCE ** random.random()), 0.5)
        yield f"{' '.join(question.words)} {question.answer}\n"


def _noun(random: Random, plural: bool) -> str:
    return random.choice(NOUNS) + "s" * plural
