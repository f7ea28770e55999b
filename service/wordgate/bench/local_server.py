"""A server of one's own on this machine, for as long as something is measured."""

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
"""Variables that do not reach it: it is asked in plain text, without a token."""


_DIRECT = build_opener(ProxyHandler({}))
"""Asks pages of this machine without the proxies that the environment names."""


@dataclass(frozen=True)
class LocalServer:
    """`wordgate serve` in a process of its own; `address` is HOST:PORT for gRPC."""

    address: str
    http: str
    process_id: int

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that carry these labels."""
        from prometheus_client.parser import text_string_to_metric_families

        with _DIRECT.open(f"http://{self.http}/metrics", timeout=60) as answer:
            page = answer.read().decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@contextmanager
def local_server(
    model: Path, calls: int, workers: int = 1, listen: str = "127.0.0.1:0", more: Sequence[str] = ()
) -> Iterator[LocalServer]:
    """A server on free ports of this machine, or for gRPC on the one that is named.

    `more` are further options of `wordgate serve`. Its log is read and dropped. Raises
    `WordgateError` with what it said when it does not start.
    """
    command = [sys.executable, "-m", "wordgate.cli.main", "serve", "--model", str(model)]
    options = ["--listen", listen, "--metrics-listen", "127.0.0.1:0", "--log-format", "json"]
    process = subprocess.Popen(
        [*command, *options, "--engine-threads", str(calls), "--workers", str(workers), *more],
        stderr=subprocess.PIPE,
        text=True,
        env={name: v for name, v in os.environ.items() if not name.startswith(_GUARDED_BY)},
    )
    reader = threading.Thread(target=_drop_log, args=(process,), daemon=True)
    try:
        own = _serving(process)
        reader.start()
        yield own
    finally:
        process.kill()
        if reader.is_alive():
            reader.join()  # its workers have ended, too, when nobody can write any more
        process.communicate()


def _drop_log(process: "subprocess.Popen[str]") -> None:
    """Read the log to its end: a full pipe would block the server."""
    with suppress(ValueError):
        for _ in process.stderr or ():
            pass


def _serving(process: "subprocess.Popen[str]") -> LocalServer:
    said = ""
    for line in process.stderr or ():
        said += line
        document = json.loads(line) if line.startswith("{") else {}
        if document.get("event") == "serving":
            return LocalServer(document["grpc"], document["http"], process.pid)
    raise WordgateError(f"the server to measure did not start: {said.strip()}")
