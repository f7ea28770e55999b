"""Make pairs of a text and its misreading: python examples/misread_pairs.py TEXT.txt > pairs.tsv.

In each line one word of five letters or more has one confusion of characters, as OCR makes them
(rn/m, cl/d, e/c). `wordgate evaluate --suite pairs --data pairs.tsv` then counts how often a model
prefers the text as written. Lines without such a word are left out; the choice is the same in each
run.
"""

import argparse
import random
import re
import sys
from pathlib import Path

from print_confusions import ALIKE

CONFUSIONS = [
    (read, written)
    for pair in ALIKE.split()
    for read, written in (pair.split("/"), pair.split("/")[::-1])
    if (read + written).isalpha() and (read + written).islower()
]


def main() -> None:
    """Print a table with a header."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, metavar="TEXT.txt")
    lines = parser.parse_args().text.read_text("utf-8").splitlines()
    chance = random.Random(0)
    print("sentence_good\tsentence_bad")
    for line in lines:
        if misreadings := sorted(misread(line)):
            print(f"{' '.join(line.split())}\t{' '.join(chance.choice(misreadings).split())}")


def misread(line: str) -> set[str]:
    """Return the line with one confusion in one word, in all ways."""
    found = set()
    for word in re.finditer(r"\b[^\W\d_]{5,}\b", line):
        for written, read in CONFUSIONS:
            for place in re.finditer(written, word[0]):
                start = word.start() + place.start()
                found.add(line[:start] + read + line[start + len(written) :])
    return found


if __name__ == "__main__":
    try:
        main()
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"misread_pairs: {error}")
