"""Continuous load while servers are killed or drained."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle
from threading import Event

from tests.running import until
from tests.server.requests import HISTORIES

from wordgate.client import Client
from wordgate.decoding.prediction_result import PredictionResult

CALLERS = 4
WARM_CALLS = 40
"""Number of calls after which every server has been called."""


class Load:
    """The load and the results so far."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stop = Event()
        self._answers: list[tuple[str, PredictionResult]] = []

    def ask(self) -> None:
        """Send requests until `stop`. Raises the error of a failed call."""
        for history in cycle(HISTORIES):
            if self._stop.is_set():
                return
            self._answers.append((history, self._client.predict(history)))

    def more(self, count: int) -> None:
        """Wait for `count` more results."""
        enough = len(self._answers) + count
        until(lambda: len(self._answers) >= enough, f"{count} more answers")

    def stop(self) -> None:
        """Stop the load."""
        self._stop.set()

    @property
    def are_all_alike(self) -> bool:
        """Return whether all histories were requested and each has bit-identical results."""
        answered = dict(self._answers)
        return set(answered) == set(HISTORIES) and all(
            answer == answered[history] for history, answer in self._answers
        )


@contextmanager
def load(address: str) -> Iterator[Load]:
    """Run load against an address during the block. Raises if a call failed."""
    with Client(address) as client, ThreadPoolExecutor(CALLERS) as pool, ExitStack() as ending:
        calling = Load(client)
        callers = [pool.submit(calling.ask) for _ in range(CALLERS)]
        ending.callback(calling.stop)
        yield calling
        calling.stop()
        for caller in callers:
            caller.result()
