"""Train three recurrent cells on a generated language and measure how far back they remember.

    python examples/memory/memory_experiment.py

Trains each cell with each seed by the same recipe, and writes result.json and memory.svg to the
folder. The table is printed as Markdown. The same command resumes an interrupted experiment. See
docs/memory.md.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, get_args

from clue_language import DISTANCES, TASKS, write_text
from wordgate.errors import WordgateError
from wordgate.training.openmp import limit_openmp_spinning
from wordgate.training.recipe import Cell

RECIPE = Path(__file__).with_name("recipe.toml")
CELLS: tuple[Cell, ...] = get_args(Cell)
RESULT, FIGURE = "result.json", "memory.svg"


def main() -> None:
    """Run the experiment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("runs/memory"), help="of all output")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--lines", type=int, default=40_000, help="of training text for each task")
    parser.add_argument("--questions", type=int, default=500, help="for each task and distance")
    options = parser.parse_args()
    limit_openmp_spinning()
    from memory_figure import draw
    from trained_run import Run

    started = time.monotonic()
    write_text(options.folder / "text", options.lines)
    runs = [
        Run(cell, seed, options.recipe, options.folder).figures(options.questions)
        for seed in options.seeds
        for cell in options.cells
    ]
    seconds = round(time.monotonic() - started, 1)
    result = {"questions": options.questions, "seconds": seconds, "runs": runs}
    (options.folder / RESULT).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    draw(runs, options.folder / FIGURE)
    print("\n".join(table(runs)))


def table(runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a Markdown table of accuracies in per cent, means over the seeds."""
    yield f"| task | cell | {' | '.join(map(str, DISTANCES))} |"
    yield f"|---|---|{'---:|' * len(DISTANCES)}"
    for task in TASKS:
        for cell in dict.fromkeys(run["cell"] for run in runs):
            found = [run["accuracy"][task] for run in runs if run["cell"] == cell]
            means = (100 * mean(each[str(distance)] for each in found) for distance in DISTANCES)
            yield f"| {task} | {cell} | {' | '.join(f'{value:.0f}' for value in means)} |"


if __name__ == "__main__":
    try:
        main()
    except (WordgateError, OSError) as error:
        sys.exit(f"memory_experiment: {error}")
