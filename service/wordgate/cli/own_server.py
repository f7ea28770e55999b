"""A server of one's own on this machine, for as long as something is measured."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wordgate.errors import WordgateError


@contextmanager
def own_server(model: Path, calls: int) -> Iterator[str]:
    """The address of `wordgate serve` in a process of its own, on a free port of this machine.

    Raises `WordgateError` with what it said when it does not start.
    """
    command = [sys.executable, "-m", "wordgate.cli.main", "serve", "--model", str(model)]
    options = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--calls"]
    process = subprocess.Popen(
        [*command, *options, str(calls), "--log-format", "json"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield _address(process)
    finally:
        process.kill()
        process.communicate()


def _address(process: "subprocess.Popen[str]") -> str:
    said = ""
    for line in process.stderr or ():
        said += line
        document = json.loads(line) if line.startswith("{") else {}
        if document.get("event") == "serving":
            return str(document["grpc"])
    raise WordgateError(f"the server to measure did not start: {said.strip()}")
