"""Saturate a server with scoring jobs: `python -m wordgate.bench.scoring.scoring_load ADDRESS …`.

Runs in a separate process so that it does not disturb measurements. Prints `scoring` after the
first result and ends by itself.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle, takewhile
from time import monotonic

from wordgate.bench.scoring.sample import n_best_sample
from wordgate.client import Client, Priority
from wordgate.engine.results import ScoreResult
from wordgate.offline.pipelining import in_order

JOB_CANDIDATES = 100


def jobs() -> list[list[str]]:
    """Return the bundled sample of n-best lists in jobs of 100 candidates."""
    texts = [
        hypothesis.text for utterance in n_best_sample() for hypothesis in utterance.hypotheses
    ]
    whole = len(texts) - len(texts) % JOB_CANDIDATES
    return [texts[first : first + JOB_CANDIDATES] for first in range(0, whole, JOB_CANDIDATES)]


def score_at(
    address: str, in_flight: int, seconds: float, connections: int = 1
) -> Iterator[ScoreResult]:
    """Yield the results of jobs for `seconds`, keeping `in_flight` jobs in flight."""
    until = monotonic() + seconds

    with ExitStack() as connected:
        clients = [
            connected.enter_context(Client(address, priority=Priority.BATCH))
            for _ in range(connections)
        ]
        pairs = zip(cycle(jobs()), cycle(clients), strict=False)
        in_time = takewhile(lambda _: monotonic() < until, pairs)
        asked = in_order(in_time, lambda pair: pair[1].submit_score("", pair[0]), in_flight)
        for _, result in asked:
            yield result


def main() -> None:
    """Score until the time is over or the process is killed."""
    address, in_flight, seconds, connections = sys.argv[1:]
    answers = score_at(address, int(in_flight), float(seconds), int(connections))
    for number, _ in enumerate(answers):
        if number == 0:
            sys.stdout.write("scoring\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
