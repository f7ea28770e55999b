"""How sure a ranking is of each word of its winner, and where the runner-up differs.

Knows words and shares; does not know scores. A word's confidence is the share of the transcripts
that have it at its place, where each is aligned with the winner by least edit distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from wordgate.text.steps import Steps

NEGLIGIBLE = 1e-9
"""Transcripts with a smaller share of the whole are not aligned."""


@dataclass(frozen=True)
class WordDiff:
    """Words [start, end) of the winner stand against [start, end) of the runner-up."""

    start: int
    end: int
    runner_up_start: int
    runner_up_end: int


def confidences(
    winner: Sequence[str], others: Sequence[tuple[Sequence[str], float]]
) -> Steps[list[float]]:
    """For each word of the winner, the sum of shares of those that have it at its place.

    `others` are all transcripts with their shares, the winner among them.
    """
    found = [0.0] * len(winner)
    for words, share in others:
        if share < NEGLIGIBLE:
            continue
        for block in Levenshtein.opcodes(winner, words):
            if block.tag == "equal":
                for place in range(block.src_start, block.src_end):
                    found[place] += share
        yield _aligning_work(winner, words)
    return [min(1.0, value) for value in found]


def differences(winner: Sequence[str], runner_up: Sequence[str]) -> list[WordDiff]:
    """The stretches in which two transcripts differ, in order."""
    return [
        WordDiff(block.src_start, block.src_end, block.dest_start, block.dest_end)
        for block in Levenshtein.opcodes(winner, runner_up)
        if block.tag != "equal"
    ]


def _aligning_work(winner: Sequence[str], words: Sequence[str]) -> int:
    """About the work to align two texts."""
    return len(winner) + len(words) + len(winner) * len(words) // 2000
