"""Word confidences of the best transcript, and its differences from the runner-up.

Each transcript is aligned with the winner by minimum edit distance. A word's confidence is the
summed posterior of the transcripts that have the same word at its position.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from wordgate.text.cooperative_steps import Steps

NEGLIGIBLE = 1e-9
"""Transcripts with a smaller posterior are not aligned."""


@dataclass(frozen=True)
class WordDiff:
    """Words [start, end) of the winner, aligned with words of the runner-up."""

    start: int
    end: int
    runner_up_start: int
    runner_up_end: int


def confidences(
    winner: Sequence[str], others: Sequence[tuple[Sequence[str], float]]
) -> Steps[list[float]]:
    """Return the confidence of each word of the winner, from 0 to 1.

    `others` holds every transcript with its posterior, the winner included.
    """
    sums = [0.0] * len(winner)
    for words, share in others:
        if share < NEGLIGIBLE:
            continue
        for block in Levenshtein.opcodes(winner, words):
            if block.tag == "equal":
                for index in range(block.src_start, block.src_end):
                    sums[index] += share
        yield
    return [min(1.0, value) for value in sums]


def differences(winner: Sequence[str], runner_up: Sequence[str]) -> list[WordDiff]:
    """Return the word spans in which two transcripts differ, in order."""
    return [
        WordDiff(block.src_start, block.src_end, block.dest_start, block.dest_end)
        for block in Levenshtein.opcodes(winner, runner_up)
        if block.tag != "equal"
    ]
