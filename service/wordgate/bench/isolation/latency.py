"""Latency of paced requests, for measuring performance isolation (noisy neighbours)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter, sleep


@dataclass
class Pings:
    """Latencies in seconds of requests that are due at a fixed interval, and failures by name.

    A request that is late because the one before it was slow counts from the moment it was due,
    so a stall of one second is not a single sample (coordinated omission).
    """

    seconds: list[float] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)


def paced(
    ask: Callable[[], str],
    interval_seconds: float,
    seconds: float,
    clock: Callable[[], float] = perf_counter,
    wait: Callable[[float], None] = sleep,
) -> Pings:
    """Call `ask` at a fixed interval, one at a time, until `seconds` have passed.

    `ask` returns the name of its failure, or an empty string. Requests that came due while another
    one was in progress are counted when that one ends, and not sent.
    """
    pings = Pings()
    began = clock()
    wanted = round(seconds / interval_seconds)
    while len(pings.seconds) < wanted:
        wait(max(0.0, began + len(pings.seconds) * interval_seconds - clock()))
        failure = ask()
        ended = clock()
        if failure:
            pings.failures[failure] = pings.failures.get(failure, 0) + 1
        first = len(pings.seconds)
        late = max(first + 1, math.floor((ended - began) / interval_seconds) + 1)
        pings.seconds += [
            ended - began - number * interval_seconds for number in range(first, min(late, wanted))
        ]
    return pings


def percentile(sample: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of a sample that is not empty."""
    return sorted(sample)[max(0, math.ceil(len(sample) * percent / 100) - 1)]
