"""Run a local server for a benchmark."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from wordgate.errors import WordgateError

_GUARDED_BY = ("WORDGATE_TLS_", "WORDGATE_TOKENS_FILE", "WORDGATE_CONFIG")
"""Variables withheld from the server: benchmarks connect without TLS and without a token."""


_DIRECT = build_opener(ProxyHandler({}))
"""Opens local URLs, ignoring the environment's proxy settings."""


@dataclass(frozen=True)
class LocalServer:
    """A `wordgate serve` process: HOST:PORT of gRPC, of metrics, and of HTTP ("off" without it)."""

    address: str
    metrics: str
    http: str
    process_id: int

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the metric's samples that have these labels."""
        from prometheus_client.parser import text_string_to_metric_families

        with _DIRECT.open(f"http://{self.metrics}/metrics", timeout=60) as answer:
            page = answer.read().decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@contextmanager
def local_server(
    model: Path,
    engine_threads: int,
    workers: int = 1,
    listen: str = "127.0.0.1:0",
    more: Sequence[str] = (),
) -> Iterator[LocalServer]:
    """Run a server on free local ports, or with gRPC on `listen`, until the end of the block.

    `more` are further options of `wordgate serve`. The log is read and discarded. Raises
    `WordgateError` with the log if the server does not start.
    """
    command = [sys.executable, "-m", "wordgate.cli.main", "serve", "--model", str(model)]
    options = ["--listen", listen, "--metrics-listen", "127.0.0.1:0", "--log-format", "json"]
    process = subprocess.Popen(
        [
            *command,
            *options,
            "--engine-threads",
            str(engine_threads),
            "--workers",
            str(workers),
            *more,
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={name: v for name, v in os.environ.items() if not name.startswith(_GUARDED_BY)},
    )
    reader = threading.Thread(target=_drop_log, args=(process,), daemon=True)
    try:
        server = _serving(process)
        reader.start()
        yield server
    finally:
        process.kill()
        if reader.is_alive():
            reader.join()  # at end of file, the workers have ended too
        process.communicate()


def _drop_log(process: "subprocess.Popen[str]") -> None:
    """Read the log to its end; a full pipe would block the server."""
    with suppress(ValueError):
        for _ in process.stderr or ():
            pass


def _serving(process: "subprocess.Popen[str]") -> LocalServer:
    log = ""
    for line in process.stderr or ():
        log += line
        document = json.loads(line) if line.startswith("{") else {}
        if document.get("event") == "serving":
            return LocalServer(document["grpc"], document["metrics"], document["http"], process.pid)
    raise WordgateError(f"benchmark server did not start: {log.strip()}")
