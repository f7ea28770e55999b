"""Ask a model two well-known questions with the clue 5 to 100 words away; print a Markdown table.

    python examples/memory/two_sentences.py [--model models/NAME/VERSION]

See docs/memory.md.
"""

import argparse
import sys
from contextlib import closing
from pathlib import Path

from wordgate.bundle.bundled_model import bundled_model_path
from wordgate.engine.local_model import LocalModel
from wordgate.errors import WordgateError
from wordgate.evaluation import distant_clues


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="an English model  [the bundled one]")
    options = parser.parse_args()
    with closing(LocalModel.open(options.model or bundled_model_path())) as model:
        print("\n".join(distant_clues.table(distant_clues.figures(model))))


if __name__ == "__main__":
    try:
        main()
    except (WordgateError, OSError) as error:
        sys.exit(f"two_sentences: {error}")
