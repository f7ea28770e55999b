"""Fixtures of the HTTP tests: a server with HTTP on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.running import RunningServer, serving

HTTP = ("--http-listen", "127.0.0.1:0", "--access-log", "all")
ALLOWED = "https://app.example"


@pytest.fixture(scope="module")
def http_server(bundle: Path) -> Iterator[RunningServer]:
    """A server that serves HTTP, and a page of `ALLOWED`."""
    with serving(bundle, *HTTP, "--http-allowed-origins", ALLOWED) as server:
        yield server
