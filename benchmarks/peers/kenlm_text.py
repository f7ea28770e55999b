"""Write text for `lmplz`: one passage per line, words in normal form without punctuation.

`xzcat *.txt.xz | python kenlm_text.py > words.txt`, in Wordgate's environment.
"""

import sys

from wordgate.text import words
from wordgate.text.normalization import normalise


def main() -> None:
    """Convert standard input to standard output, line by line."""
    for line in sys.stdin:
        kept = [word for word in words.split(normalise(line)) if any(map(str.isalnum, word))]
        if kept:
            sys.stdout.write(" ".join(kept) + "\n")


if __name__ == "__main__":
    main()
