"""Fixtures of the HTTP tests: servers with HTTP on."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from tests.running import RunningServer, serving

HTTP = ("--http-listen", "127.0.0.1:0", "--access-log", "all")
ALLOWED = "https://app.example"
SECRET = "kvetch-4711"


@pytest.fixture(scope="module")
def http_server(bundle: Path) -> Iterator[RunningServer]:
    """A server that serves HTTP, and a page of `ALLOWED`."""
    with serving(bundle, *HTTP, "--http-allowed-origins", ALLOWED) as server:
        yield server


@pytest.fixture(scope="module")
def locked(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that requires the token `SECRET`."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.txt"
    tokens.write_text(f"page sha256:{sha256(SECRET.encode()).hexdigest()}\n", "utf-8")
    with serving(bundle, *HTTP, "--tokens-file", str(tokens)) as server:
        yield server
