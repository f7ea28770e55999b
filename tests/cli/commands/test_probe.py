"""`wordgate probe` as a container health check."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.calling import Run
from tests.running import RunningServer


@pytest.fixture
def deaf() -> Iterator[str]:
    """Yield an address that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def vacant() -> str:
    """Yield an address without a listener."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("service", ["", "wordgate.v1.ScoringService"])
def test_a_server_that_serves_is_ready(run: Run, server: RunningServer, service: str) -> None:
    """A ready server prints one line and exits with 0."""
    ended = run("probe", server.address, "--service", service)
    assert (ended.code, ended.out) == (0, f"{server.address}: SERVING\n")


def test_the_address_comes_from_the_servers_own_variable(
    run: Run, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an address, the probe uses the server's environment variables."""
    port = server.address.rpartition(":")[2]
    monkeypatch.setenv("WORDGATE_LISTEN", f"0.0.0.0:{port}")
    assert run("probe").out == f"127.0.0.1:{port}: SERVING\n"


def test_the_address_comes_from_the_servers_own_file(
    run: Run, server: RunningServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without an address, the probe uses the configuration file named in the environment."""
    file = tmp_path / "wordgate.toml"
    file.write_text(f"listen = '{server.address}'")
    monkeypatch.setenv("WORDGATE_CONFIG", str(file))
    assert run("probe").out == f"{server.address}: SERVING\n"


def test_a_server_that_speaks_tls_is_asked_over_http(
    run: Run, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TLS the probe uses the HTTP page, because it may lack a client certificate."""
    for name, value in {"CERTIFICATE": "a.pem", "KEY": "a.key"}.items():
        monkeypatch.setenv(f"WORDGATE_TLS_{name}", value)
    monkeypatch.setenv("WORDGATE_METRICS_LISTEN", server.metrics_address)
    assert run("probe").out == f"http://{server.metrics_address}/readyz: 200 OK\n"


def test_a_page_that_answers_is_ready(run: Run, server: RunningServer) -> None:
    """A URL is requested over HTTP; only status 200 is ready."""
    assert run("probe", f"http://{server.metrics_address}/readyz").code == 0
    missing = run("probe", f"http://{server.metrics_address}/nothing")
    assert (missing.code, missing.out) == (
        1,
        f"http://{server.metrics_address}/nothing: 404 Not Found\n",
    )


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_refused_connection_is_not_ready(run: Run, vacant: str, scheme: str) -> None:
    """A refused connection prints one line and exits with 1."""
    ended = run("probe", f"{scheme}{vacant}")
    assert ended.code == 1
    assert ended.out.startswith(f"{scheme}{vacant}: ")
    assert len(ended.out.splitlines()) == 1


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_server_that_hangs_is_not_ready(run: Run, deaf: str, scheme: str) -> None:
    """The check times out."""
    ended = run("probe", f"{scheme}{deaf}", "--timeout-seconds", "0.2")
    assert ended.code == 1
    assert len(ended.out.splitlines()) == 1


def test_an_unknown_service_is_not_ready(run: Run, server: RunningServer) -> None:
    """The server's error message is printed."""
    ended = run("probe", server.address, "--service", "nobody.v1.Knows")
    assert (ended.code, ended.out) == (1, f"{server.address}: NOT_FOUND: \n")
