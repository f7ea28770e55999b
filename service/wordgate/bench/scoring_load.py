"""Saturate a server with scoring jobs: `python -m wordgate.bench.scoring_load ADDRESS …`.

Runs in a separate process so that it does not disturb measurements. Prints `scoring` after the
first result and ends by itself.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from itertools import cycle
from time import monotonic

from wordgate.bench.sample import n_best_sample
from wordgate.client import Client
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
    address: str, under_way: int, seconds: float, connections: int = 1
) -> Iterator[ScoreResult]:
    """Yield the results of jobs for `seconds`, keeping `under_way` jobs in flight."""
    until = monotonic() + seconds

    def questions(clients: list[Client]) -> Iterator["Future[ScoreResult]"]:
        for texts, client in zip(cycle(jobs()), cycle(clients), strict=False):
            if monotonic() >= until:
                return
            yield client.submit_score("", texts)

    with ExitStack() as connected:
        clients = [connected.enter_context(Client(address, batch=True)) for _ in range(connections)]
        yield from in_order(questions(clients), under_way)


def main() -> None:
    """Score until the time is over or the process is killed."""
    address, under_way, seconds, connections = sys.argv[1:]
    answers = score_at(address, int(under_way), float(seconds), int(connections))
    for number, _ in enumerate(answers):
        if number == 0:
            sys.stdout.write("scoring\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
