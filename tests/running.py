"""Run a real server in its own process on free ports, for tests."""

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
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

PATIENCE_SECONDS = 60.0


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait until the condition returns a true value, and return that value."""
    latest = monotonic() + PATIENCE_SECONDS
    while monotonic() < latest:
        found = condition()
        if found:
            return found
        sleep(0.01)
    raise AssertionError(f"waited {PATIENCE_SECONDS:g} s in vain: {what}")


@dataclass(frozen=True)
class MetricsPage:
    """The metrics of a server at one moment."""

    text: str

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of this name with these labels."""
        named = [f"{line}\n" for line in self.text.splitlines() if line.startswith(name)]
        return sum(
            sample.value
            for family in text_string_to_metric_families("".join(named))
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    @property
    def calls_in_progress(self) -> float:
        """Return the number of calls in progress, without health checks."""
        return self.sum("grpc_server_started_total") - self.sum("grpc_server_handled_total")


class RunningServer:
    """A `wordgate serve` process.

    `address`, `metrics_address` and `http` are set once it serves. Without a `model`, it serves the
    bundled one.
    `python` is the interpreter of the installation to run; `variables` are added to its
    environment.
    """

    def __init__(
        self,
        model: Path | None,
        *options: str,
        python: str = sys.executable,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        command = [python, "-m", "wordgate.cli.main", "serve", "--log-format", "json"]
        command += ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
        command += ["--model", str(model)] if model else []
        environment = {k: v for k, v in os.environ.items() if not k.startswith("WORDGATE_")}
        self.process = subprocess.Popen(
            [*command, *options],
            stderr=subprocess.PIPE,
            text=True,
            env=environment | dict(variables or {}),
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_serving(self) -> None:
        """Read the addresses from the startup log line. Fail if the process ends first."""
        until(lambda: self._event("serving") or self.process.poll() is not None, "serving")
        line = self._event("serving")
        assert line, f"the server ended: {self.output}"
        self.address: str = line["grpc"]
        self.metrics_address: str = line["metrics"]
        self.http: str = line["http"]

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of an HTTP page."""
        try:
            with urllib.request.urlopen(
                f"http://{self.metrics_address}{path}", timeout=10
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of this name with these labels."""
        return self.metrics_page().sum(name, **labels)

    def metrics_page(self) -> "MetricsPage":
        """Return the current metrics. The server pauses after each page."""
        return MetricsPage(self.get("/metrics")[1])

    @property
    def output(self) -> str:
        """Standard error of the server so far."""
        return "".join(self.lines)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for the process to end and return its exit code."""
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
    """Run a server until it is ready, and kill it at the end."""
    server = RunningServer(model, *options, python=python, variables=variables)
    try:
        server.wait_until_serving()
        yield server
    finally:
        server.process.kill()
        server.wait()
