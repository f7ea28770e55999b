"""Benchmark candidate scoring against a padded batch and against the CPU's matrix product limit.

All methods use the same weights, candidates and machine and run one after the other in each
repetition; results are medians. Tokenization is included everywhere except in the limit.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any, Protocol

from wordgate.bench.scoring.matmul_limit import MatmulLimit
from wordgate.bench.scoring.padded_baseline import PaddedBatch
from wordgate.engine.loaded_model import open_model
from wordgate.engine.local_model import LocalModel
from wordgate.offline.pipelining import in_order
from wordgate.scoring.prefix_tree import PrefixTree
from wordgate.scoring.scoring import tokenize_text

IN_FLIGHT = 16
"""Utterances in flight, in process and over gRPC."""

_ONE_BY_ONE_SHARE = 10
"""Only every 10th utterance is scored one candidate at a time, because it is slow."""


class Scores(Protocol):
    """Scores candidates, in process or on a server."""

    def submit_score(self, history: str, candidates: Sequence[str]) -> "Future[Any]":
        """Request the log-probabilities of candidates after a history."""
        ...


def run(
    bundle: Path,
    utterances: Sequence[Sequence[str]],
    *,
    server: Scores | None,
    engine_threads: int,
    baseline_threads: Sequence[int],
    repetitions: int,
) -> dict[str, Any]:
    """Return the candidates per second of each method, and their ratios.

    `engine_threads` inferences run concurrently, here and in `server`, which serves the same bundle
    in another process. The padded batch runs with the fastest of `baseline_threads`, determined
    beforehand. The limit is for one core and is compared with one inference at a time.
    """
    rows = RowCounter()
    served = open_model(bundle, observer=rows)
    here = LocalModel(served, engine_threads)
    alone = LocalModel(served)
    limit = MatmulLimit(served.bundle.manifest.network)
    padded = _best_padded(bundle, utterances, here, baseline_threads)
    few = utterances[::_ONE_BY_ONE_SHARE]
    ways: dict[str, tuple[Sequence[Sequence[str]], Callable[[Sequence[str]], Any]]] = {
        "padded_batch": (utterances, lambda texts: padded.score(_cut(here, texts))),
        "one_by_one": (few, lambda texts: [padded.score(_cut(here, [text])) for text in texts]),
    }
    seconds: dict[str, list[float]] = {
        name: [] for name in (*ways, "engine", "one_thread", "server")
    }
    _ask_all(here, utterances)
    for _ in range(repetitions):
        seconds["engine"].append(_ask_all(here, utterances))
        rows.counted.clear()
        seconds["one_thread"].append(_ask_all(alone, utterances))
        limit.measure()
        if server is not None:
            seconds["server"].append(_ask_all(server, utterances))
        for name, (scored, score) in ways.items():
            seconds[name].append(_one_after_the_other(scored, score))
    here.close()
    alone.close()
    count = sum(map(len, utterances))
    engine = count / statistics.median(seconds["engine"])
    padded_speed = count / statistics.median(seconds["padded_batch"])
    one_speed = sum(map(len, few)) / statistics.median(seconds["one_by_one"])
    needed = sum(limit.seconds_per_row(graph) * n for graph, n in rows.counted.items())
    figures = {
        "candidates_per_second": round(engine, 1),
        "speedup_over_padded_batch": round(engine / padded_speed, 2),
        "speedup_over_one_by_one": round(engine / one_speed, 2),
        "fraction_of_matmul_limit": round(needed / statistics.median(seconds["one_thread"]), 3),
        "sharing": round(_sharing(here, utterances), 3),
    }
    if server is not None:
        through = count / statistics.median(seconds["server"])
        figures["server_candidates_per_second"] = round(through, 1)
        figures["server_share_of_engine"] = round(through / engine, 3)
    return figures | {
        "padded_batch_candidates_per_second": round(padded_speed, 1),
        "one_by_one_candidates_per_second": round(one_speed, 1),
        "matmul_limit_candidates_per_second": round(count / needed, 1),
        "rows": dict(sorted(rows.counted.items())),
        "candidates": count,
        "utterances": len(utterances),
        "in_flight": IN_FLIGHT,
        "engine_threads": engine_threads,
        "one_thread_candidates_per_second": round(
            count / statistics.median(seconds["one_thread"]), 1
        ),
        "padded_batch_threads": padded.threads,
        "repetitions": repetitions,
    }


def _ask_all(scorer: Scores, utterances: Sequence[Sequence[str]]) -> float:
    """Return the seconds to score all utterances, with several in flight."""
    began = perf_counter()
    for _ in in_order(utterances, lambda texts: scorer.submit_score("", texts), IN_FLIGHT):
        pass
    return perf_counter() - began


def _one_after_the_other(
    utterances: Sequence[Sequence[str]], score: Callable[[Sequence[str]], Any]
) -> float:
    began = perf_counter()
    for texts in utterances:
        score(texts)
    return perf_counter() - began


def _best_padded(
    bundle: Path,
    utterances: Sequence[Sequence[str]],
    here: LocalModel,
    threads: Sequence[int],
) -> PaddedBatch:
    """Return the padded batch with the number of threads that is fastest on a few utterances."""
    tried = [PaddedBatch(bundle, each) for each in threads]
    few = utterances[:3]

    def seconds(batch: PaddedBatch) -> float:
        return min(
            _one_after_the_other(few, lambda texts: batch.score(_cut(here, texts)))
            for _ in range(2)
        )

    return min(tried, key=seconds)


def _cut(here: LocalModel, texts: Sequence[str]) -> list[list[int]]:
    language = here.served.bundle.language
    return [tokenize_text(language, text, "text").tokens for text in texts]


def _sharing(here: LocalModel, utterances: Sequence[Sequence[str]]) -> float:
    """Return the share of tokens, `<eos>` included, that prefix trees save."""
    tokens = nodes = 0
    for texts in utterances:
        cut = [[*candidate, 0] for candidate in _cut(here, texts)]
        tokens += sum(map(len, cut))
        nodes += len(PrefixTree(cut)) - 1
    return 1 - nodes / tokens


class RowCounter:
    """Counts the rows per graph."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self._lock = Lock()

    def called(self, graph: str, rows: int, seconds: float) -> None:
        """Count the rows of an inference."""
        with self._lock:
            self.counted[graph] += rows
