"""Benchmark a model in process: rows per second by batch size, and prediction latency.

Cases are interleaved and results are medians, because machines are often shared.
"""

import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

from wordgate.bench.isolation.latency import percentile
from wordgate.decoding.prediction import Query
from wordgate.engine.local_model import LocalModel
from wordgate.engine.onnx_model import NetworkModel
from wordgate.evaluation.cloze import own_questions
from wordgate.lm.requests import ModelRequest, OutputRows, Step, run_request
from wordgate.text import words

CALL_ROWS = (1, 2, 4, 8, 16, 32, 64)


def measure(model: LocalModel, repetitions: int = 7, calls: int = 10) -> dict[str, Any]:
    """Measure the speed of the graphs and of predictions.

    `rows_per_second`: per graph and batch size, including the packing of rows. `predict_p50_ms`,
    `predict_p99_ms`: a prediction after every word of the fifty bundled contexts; each history is
    one word longer than the last, as in typing. `rows_per_search`: mean number of output-layer rows
    per prediction.
    """
    times, rows = _predictions(model)
    return {
        "rows_per_second": _rows_per_second(model.served.network, repetitions, calls),
        "predict_p50_ms": round(statistics.median(times) * 1e3, 3),
        "predict_p99_ms": round(percentile(times, 99) * 1e3, 3),
        "rows_per_search": round(statistics.mean(rows), 2),
        "predictions": len(times),
        "repetitions": repetitions,
    }


def _rows_per_second(
    network: NetworkModel, repetitions: int, calls: int
) -> dict[str, dict[str, float]]:
    cases = {(graph, n): ask(n) for graph, ask in _asks(network).items() for n in CALL_ROWS}
    seconds: dict[tuple[str, int], list[float]] = {case: [] for case in cases}
    for _ in range(repetitions):
        for case, ask in cases.items():
            seconds[case].append(_seconds(network, ask, calls))
    rates: dict[str, dict[str, float]] = {}
    for (graph, rows), taken in seconds.items():
        speed = rows * calls / statistics.median(taken)
        rates.setdefault(graph, {})[str(rows)] = round(speed, 1)
    return rates


def _asks(network: NetworkModel) -> dict[str, Callable[[int], ModelRequest]]:
    """Return, per graph, a function that makes a request of a number of rows."""
    asks: dict[str, Callable[[int], ModelRequest]] = {
        "step": lambda rows: Step([(network.start, row + 1) for row in range(rows)])
    }
    for level in range(network.levels.count):
        asks[f"output-{level}"] = lambda rows, level=level: OutputRows(  # type: ignore[misc]
            [(network.start, level)] * rows
        )
    return asks


def _seconds(network: NetworkModel, ask: ModelRequest, calls: int) -> float:
    began = perf_counter()
    for _ in range(calls):
        run_request(ask, network)
    return perf_counter() - began


def _predictions(model: LocalModel) -> tuple[list[float], list[int]]:
    """Return the seconds and output rows of a prediction after every word of the contexts."""
    times, rows = [], []
    for question in own_questions():
        written = words.split(question.context)
        for count in range(1, len(written) + 1):
            began = perf_counter()
            answer = model.submit_predict(Query(" ".join(written[:count]))).result()
            times.append(perf_counter() - began)
            rows.append(answer.expansions)
    return times, rows
