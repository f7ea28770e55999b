"""Evaluate the correction of OCR output: python examples/measure_print.py FILE.jsonl [--server …].

FILE is as in `correct_print`, with references. Weights are tuned on every second text and measured
on the others, and vice versa (two-fold cross-validation), on the n-best lists of one search with
the weights of `correct_print`. The costs of the confusions are not tuned.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np

from asked_server import add_server_options, asked_server
from correct_print import (
    CHANNEL,
    LM_WEIGHT,
    WORD_INSERTION_BONUS,
    ReadLine,
    error_rate,
    rank,
    read_file,
)
from print_confusions import QUOTES, Vocabulary, is_known
from wordgate.bundle.bundled_model import bundled_model_path
from wordgate.errors import WordgateError
from wordgate.evaluation.bootstrap import interval
from wordgate.evaluation.error_rate import Counting, Unit
from wordgate.scoring.rescoring import Transcript
from wordgate.scoring.score_weights import ScoreWeights

SCORE_WEIGHTS = ScoreWeights(LM_WEIGHT, WORD_INSERTION_BONUS, {CHANNEL: 1.0})
LM_WEIGHTS = (0.35, 0.5, 0.65, 0.8, 1.0)
WORD_INSERTION_BONUSES = (0.0, 1.0, 2.0, 3.0)
UNKNOWN_COSTS = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)

Slots = list[dict[str, float]]
Setting = TypeVar("Setting")


def main() -> None:
    """Print one row of error rates per correction method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE.jsonl")
    add_server_options(parser)
    options = parser.parse_args()
    lines = [line for line in read_file(options.file) if line.reference]
    vocabulary = Vocabulary.of_bundle(bundled_model_path())
    slots = [
        [{text.translate(QUOTES): cost for text, cost in slot.items()} for slot in each]
        for each in (line.slots(vocabulary) for line in lines)
    ]
    row("uncorrected", lines, [line.text for line in lines])

    def cheapest(unknown_cost: float) -> list[str]:
        return [without_model(each, vocabulary, unknown_cost) for each in slots]

    row("channel and dictionary, held out", lines, held_out(lines, cheapest, UNKNOWN_COSTS))
    with asked_server(options).connect() as wordgate:
        lists = [rank(wordgate, each, SCORE_WEIGHTS) for each in slots]

    def chosen(weights: tuple[float, float]) -> list[str]:
        return [best_of(ranked, *weights) for ranked in lists]

    best = held_out(lines, chosen, list(product(LM_WEIGHTS, WORD_INSERTION_BONUSES)))
    row("channel and Wordgate, held out", lines, best)
    print("  95 % interval of the gain: {:.2%} to {:.2%} of characters".format(*gain(lines, best)))
    row("oracle", lines, list(map(nearest, lines, slots)))


def held_out(
    lines: Sequence[ReadLine],
    correct: Callable[[Setting], list[str]],
    settings: Sequence[Setting],
) -> list[str]:
    """Return each half corrected with the setting that is best for the other half."""
    tried = [correct(setting) for setting in settings]
    found = [""] * len(lines)
    for half in (0, 1):
        other = slice(1 - half, None, 2)
        rates = [_rate(lines[other], texts[other]) for texts in tried]
        best = rates.index(min(rates))
        print(f"  tuned without half {half}: {settings[best]}", file=sys.stderr)
        found[half::2] = tried[best][half::2]
    return found


def gain(lines: Sequence[ReadLine], texts: Sequence[str]) -> list[float]:
    """Return the bootstrap interval of the reduction in character error rate."""
    references = [line.reference or "" for line in lines]
    count = Counting(unit=Unit.CHAR).errors
    before, after = count(references, [line.text for line in lines]), count(references, texts)
    return interval(np.subtract(before, after), np.array([len(each) for each in references]))


def best_of(ranked: Sequence[Transcript], lm_weight: float, word_insertion_bonus: float) -> str:
    """Return the text with the best total under other weights, or an empty one."""

    def total(found: Transcript) -> float:
        return (
            found.scores[CHANNEL]
            + lm_weight * found.log_prob
            + word_insertion_bonus * found.word_count
        )

    return max(ranked, key=total).text if ranked else ""


def without_model(slots: Slots, vocabulary: Vocabulary, unknown_cost: float) -> str:
    """Return the cheapest candidates, with `unknown_cost` added to out-of-vocabulary words."""

    def cost(slot: dict[str, float], text: str) -> float:
        return slot[text] + unknown_cost * (not is_known(text, vocabulary))

    found = (min(slot, key=lambda text: cost(slot, text)) for slot in slots)
    return " ".join(filter(None, found))


def nearest(line: ReadLine, slots: Slots) -> str:
    """Return the oracle: the combination of candidates closest to the reference.

    Dynamic programming over slots keeps the text with the fewest edits per prefix of the reference.
    """
    reference = f" {line.reference}"
    best = [(place, "") for place in range(len(reference) + 1)]
    for slot in slots:
        added = (f" {text}" if text else "" for text in slot)
        best = [
            min(column)
            for column in zip(*(_said(best, text, reference) for text in added), strict=True)
        ]
    return best[-1][1].strip()


def _said(best: list[tuple[int, str]], added: str, reference: str) -> list[tuple[int, str]]:
    """Append `added` to the texts; return edits and texts per prefix of the reference."""
    for character in added:
        row = [(best[0][0] + 1, best[0][1])]
        for place, wanted in enumerate(reference):
            edits, text = best[place]
            row.append(
                min(
                    (edits + (character != wanted), text),
                    (best[place + 1][0] + 1, best[place + 1][1]),
                    (row[place][0] + 1, row[place][1]),
                )
            )
        best = row
    return [(edits, text + added) for edits, text in best]


def row(name: str, lines: Sequence[ReadLine], texts: Sequence[str]) -> None:
    """Print the error rates of texts."""
    references = [line.reference or "" for line in lines]
    rates = (error_rate(references, texts, unit) for unit in (Unit.CHAR, Unit.WORD))
    print("{:40} {:7.2%} {:7.2%}".format(name, *rates), flush=True)


def _rate(lines: Sequence[ReadLine], texts: Sequence[str]) -> float:
    return error_rate([line.reference or "" for line in lines], texts, Unit.CHAR)


if __name__ == "__main__":
    try:
        main()
    except (WordgateError, OSError) as error:
        sys.exit(f"measure_print: {error}")
