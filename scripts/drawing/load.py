"""Two replicas under load, one of which is killed and comes back; Prometheus scrapes both."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from deploy.grafana.picture import draw_dashboard
from tests.deploy.monitoring import scraping
from tests.running import RunningServer

from wordgate.client import AsyncClient
from wordgate.errors import Unavailable

SECONDS, SCORING_FROM, DOWN_FROM, DOWN_UNTIL = 120, 35, 70, 90
TYPISTS, SCORERS, CANDIDATES = 40, 3, 100
KEY_SECONDS = 0.2

_TEXT = Path(__file__).resolve().parents[2] / "tests" / "data" / "sentences.txt"


def dashboard_under_load(path: Path) -> None:
    """Run the load for two minutes, and draw the dashboard's first charts."""
    replicas = [Replica(), Replica()]
    with ExitStack() as ending, TemporaryDirectory() as folder:
        for replica in replicas:
            replica.start()
            ending.callback(replica.kill)
        prometheus = ending.enter_context(
            scraping([replica.metrics for replica in replicas], Path(folder), "1s")
        )

        def draw() -> None:
            draw_dashboard(f"http://{prometheus.address}", SECONDS, path)

        asyncio.run(_load([replica.address for replica in replicas], replicas[1], draw))


class Replica:
    """A server of the bundled model that can be killed and started again at its addresses."""

    def __init__(self) -> None:
        self.address, self.metrics = _free_address(), _free_address()
        self._server: RunningServer | None = None

    def start(self) -> None:
        """Start the server, and wait until it is ready."""
        listening = ["--listen", self.address, "--metrics-listen", self.metrics]
        self._server = RunningServer(None, *listening)
        self._server.wait_until_serving()

    def kill(self) -> None:
        """Kill the server."""
        if self._server is not None:
            self._server.process.kill()
            self._server.wait()


async def _load(addresses: Sequence[str], mortal: Replica, at_end: Callable[[], None]) -> None:
    """Run all clients for `SECONDS`, and call `at_end` before they stop.

    Raises the error of a failed call.
    """
    lines = _TEXT.read_text("utf-8").splitlines()
    begin = monotonic()
    async with AsyncClient(f"ipv4:{','.join(addresses)}") as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(_type(client, lines[number:])) for number in range(TYPISTS)]
        tasks.append(group.create_task(_predict(client, lines)))
        await asyncio.sleep(SCORING_FROM)
        tasks += [group.create_task(_score(client, lines[n:])) for n in range(SCORERS)]
        await asyncio.sleep(begin + DOWN_FROM - monotonic())
        await asyncio.to_thread(mortal.kill)
        await asyncio.sleep(begin + DOWN_UNTIL - monotonic())
        await asyncio.to_thread(mortal.start)
        await asyncio.sleep(begin + SECONDS - monotonic())
        await asyncio.to_thread(at_end)
        for task in tasks:
            task.cancel()


async def _type(client: AsyncClient, lines: Sequence[str]) -> None:
    """Type lines in a session; open another one if its replica is gone."""
    for line in cycle(lines):
        try:
            async with client.typing_session() as session:
                for end in range(1, len(line) + 1):
                    await session.suggest(line[:end])
                    await asyncio.sleep(KEY_SECONDS)
        except Unavailable:
            continue


async def _predict(client: AsyncClient, lines: Sequence[str]) -> None:
    for line in cycle(lines):
        await client.predict(line)
        await asyncio.sleep(0.05)


async def _score(client: AsyncClient, lines: Sequence[str]) -> None:
    for place in cycle(range(0, len(lines) - CANDIDATES, CANDIDATES)):
        await client.score("", lines[place : place + CANDIDATES])


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"
