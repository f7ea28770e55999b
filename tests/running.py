"""A real server in its own process, on free ports, and what a test asks of it."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

PATIENCE_SECONDS = 60.0


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait until the condition answers something true, which is returned."""
    latest = monotonic() + PATIENCE_SECONDS
    while monotonic() < latest:
        found = condition()
        if found:
            return found
        sleep(0.01)
    raise AssertionError(f"waited {PATIENCE_SECONDS:g} s in vain: {what}")


class RunningServer:
    """`wordgate serve` in a process of its own; `address` and `http` once it serves.

    Without a `model` it serves the shipped one; `python` is the installation that runs it,
    `variables` go into its environment.
    """

    def __init__(
        self,
        model: Path | None,
        *options: str,
        python: str = sys.executable,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        given = {"--listen": "127.0.0.1:0", "--metrics-listen": "127.0.0.1:0"}
        given |= dict(zip(options[::2], options[1::2], strict=True))
        given |= {"--model": str(model)} if model else {}
        flat = [word for pair in given.items() for word in pair]
        command = [python, "-m", "wordgate.cli.main", "serve"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("WORDGATE_")}
        self.process = subprocess.Popen(
            [*command, *flat, "--log-format", "json"],
            stderr=subprocess.PIPE,
            text=True,
            env=environment | dict(variables or {}),
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_serving(self) -> None:
        """Read the addresses from the line that says so; fail when the process ends instead."""
        until(lambda: self._event("serving") or self.process.poll() is not None, "serving")
        line = self._event("serving")
        assert line, f"the server ended: {self.output}"
        self.address: str = line["grpc"]
        self.http: str = line["http"]

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page over HTTP."""
        try:
            with urllib.request.urlopen(f"http://{self.http}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the samples of this name that carry these labels."""
        _, page = self.get("/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    @property
    def output(self) -> str:
        """What it wrote to standard error so far."""
        return "".join(self.lines)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """The exit code, once it has ended."""
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def _event(self, name: str) -> dict[str, Any] | None:
        for line in list(self.lines):
            if line.startswith("{"):
                document: dict[str, Any] = json.loads(line)
                if document["event"] == name:
                    return document
        return None


@contextmanager
def serving(
    model: Path | None,
    *options: str,
    python: str = sys.executable,
    variables: Mapping[str, str] | None = None,
) -> Iterator[RunningServer]:
    """A server that is ready; killed at the end if it still runs."""
    server = RunningServer(model, *options, python=python, variables=variables)
    try:
        server.wait_until_serving()
        yield server
    finally:
        server.process.kill()
        server.wait()
