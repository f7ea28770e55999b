"""Callers that ask without a pause while something happens to the servers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle
from threading import Event

from tests.running import until
from tests.server.requests import HISTORIES

from wordgate.client import Client
from wordgate.engine.results import PredictionResult

CALLERS = 4
WARM_CALLS = 40
"""So many calls, and every server has been asked."""


class Load:
    """What the callers were answered so far."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stop = Event()
        self._answers: list[tuple[str, PredictionResult]] = []

    def ask(self) -> None:
        """Ask until told to stop. Raises what a call fails with."""
        for history in cycle(HISTORIES):
            if self._stop.is_set():
                return
            self._answers.append((history, self._client.predict(history)))

    def more(self, count: int) -> None:
        """Wait for so many more answers."""
        enough = len(self._answers) + count
        until(lambda: len(self._answers) >= enough, f"{count} more answers")

    def stop(self) -> None:
        """Let the callers end."""
        self._stop.set()

    @property
    def are_all_alike(self) -> bool:
        """Whether every text was asked about, and always answered the same, bit for bit."""
        answered = dict(self._answers)
        return set(answered) == set(HISTORIES) and all(
            answer == answered[history] for history, answer in self._answers
        )


@contextmanager
def load(address: str) -> Iterator[Load]:
    """Callers at an address; at the end none of their calls may have failed."""
    with Client(address) as client, ThreadPoolExecutor(CALLERS) as pool, ExitStack() as ending:
        calling = Load(client)
        callers = [pool.submit(calling.ask) for _ in range(CALLERS)]
        ending.callback(calling.stop)
        yield calling
        calling.stop()
        for caller in callers:
            caller.result()
