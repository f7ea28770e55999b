"""How much it saves to ask for the best transcripts alone.

Knows n-best lists, weights and a model in this process; does not know servers. All transcripts and
the best are asked for in turn, on the same lists; figures are medians.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from time import perf_counter, process_time
from typing import Any

from wordgate.engine.loaded_model import open_model
from wordgate.engine.local_model import LocalModel
from wordgate.offline.records import raise_on_error
from wordgate.offline.utterances import Utterance, ranked
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.weighting import Weighting

UNDER_WAY = 16


def measure(
    bundle: Path,
    utterances: Sequence[Utterance],
    weighting: Weighting,
    wanted: int = 1,
    calls: int = 2,
    repetitions: int = 7,
) -> dict[str, Any]:
    """Candidates a second when all are ranked and when the `wanted` best are.

    `speedup` is the ratio of the times, `cpu_speedup` that of the processor time, which neighbours
    disturb less; `rows_share` is how many rows of each graph the best alone take.
    """
    rows = RowCounter()
    asked = LocalModel(open_model(bundle, observer=rows), calls)
    ways = {"all": SearchBounds(), "best": SearchBounds(wanted)}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    processor: dict[str, list[float]] = {way: [] for way in ways}
    counted: dict[str, Counter[str]] = {}
    for _ in range(repetitions):
        for way, bounds in ways.items():
            rows.counted.clear()
            began, began_processor = perf_counter(), process_time()
            for _ in raise_on_error(ranked(asked, utterances, weighting, True, UNDER_WAY, bounds)):
                pass
            seconds[way].append(perf_counter() - began)
            processor[way].append(process_time() - began_processor)
            counted[way] = rows.counted.copy()
    asked.close()
    candidates = sum(len(utterance.hypotheses) for utterance in utterances)
    speeds = {way: candidates / statistics.median(taken) for way, taken in seconds.items()}
    used = {way: statistics.median(taken) for way, taken in processor.items()}
    return {
        "candidates_per_second": round(speeds["all"], 1),
        "candidates_per_second_best": round(speeds["best"], 1),
        "speedup": round(speeds["best"] / speeds["all"], 2),
        "cpu_speedup": round(used["all"] / used["best"], 2),
        "rows_share": {
            graph: round(counted["best"][graph] / count, 3)
            for graph, count in sorted(counted["all"].items())
        },
        "wanted": wanted,
        "candidates": candidates,
        "utterances": len(utterances),
        "calls": calls,
        "repetitions": repetitions,
    }


class RowCounter:
    """Counts the rows of each graph's calls."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self._lock = Lock()

    def called(self, graph: str, rows: int, seconds: float) -> None:
        """Count a call."""
        with self._lock:
            self.counted[graph] += rows
