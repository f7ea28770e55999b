"""Latency of paced requests, to measure performance isolation (noisy neighbours)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter, sleep


@dataclass
class Pings:
    """Latencies in seconds of requests sent at a fixed interval, and failures by name.

    Latency is measured from the scheduled time, not from the send time. A stall of one second
    therefore counts for all requests due in it (coordinated omission).
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

    `ask` returns the name of its failure, or an empty string. Requests that come due while another
    one is in progress are not sent; they are counted when that one ends.
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
    """Return the nearest-rank percentile of a non-empty sample."""
    return sorted(sample)[max(0, math.ceil(len(sample) * percent / 100) - 1)]
