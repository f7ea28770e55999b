"""Diagnosis of failed connections, as reported by the clients."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.running import RunningServer, serving
from tests.server.certificates import Pair, authority, ended, signed

from wordgate.cli import main as commands
from wordgate.client import AsyncClient, Client
from wordgate.client.tls import Tls
from wordgate.errors import InvalidFile, InvalidInput, Unavailable


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for the certificates."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def ca(folder: Path) -> Pair:
    """Return the CA that signs the server's certificate."""
    return authority(folder, "ca")


@pytest.fixture(scope="module")
def other(folder: Path) -> Pair:
    """Return a CA that signed nothing."""
    return authority(folder, "other")


@pytest.fixture(scope="module")
def shown(folder: Path, ca: Pair) -> Pair:
    """Return the server's certificate."""
    return signed(folder, "shown", ca)


@pytest.fixture(scope="module")
def tls_server(bundle: Path, shown: Pair) -> Iterator[RunningServer]:
    """Run a server with TLS."""
    with serving(bundle, *_options(shown)) as server:
        yield server


def _options(pair: Pair, *more: object) -> list[str]:
    options = ("--tls-certificate", pair.certificate, "--tls-key", pair.key, *more)
    return [str(option) for option in options]


def _by_name(server: RunningServer) -> str:
    """Return an address that resolves to two hosts, one of which refuses connections."""
    return f"localhost:{server.address.rpartition(':')[2]}"


async def _refused(address: str, tls: Tls | None) -> str:
    """Return the error message of both clients."""
    with Client(address, tls=tls) as client, pytest.raises(Unavailable) as caught:
        client.predict("the")
    async with AsyncClient(address, tls=tls) as asynchronous:
        with pytest.raises(Unavailable) as again:
            await asynchronous.predict("the")
        with pytest.raises(Unavailable) as streamed:
            [answer async for answer in asynchronous.generate("the")]
    assert str(caught.value) == str(again.value) == str(streamed.value)
    assert str(caught.value).startswith(f"{address}: ")
    return str(caught.value)


async def test_an_untrusted_ca_is_named(tls_server: RunningServer, other: Pair) -> None:
    """An untrusted certificate: the error names the CA file and the remedy."""
    said = await _refused(_by_name(tls_server), Tls(other.certificate))
    assert f"is not signed by the CA in {other.certificate}" in said
    assert "--tls-ca" in said
    said = await _refused(tls_server.address, Tls())
    assert "is not signed by the public CAs" in said


async def test_a_host_name_mismatch_is_named(tls_server: RunningServer, ca: Pair) -> None:
    """A host-name mismatch: the error names the expected name."""
    tls = Tls(ca.certificate, server_name="words.example.org")
    assert "is not for words.example.org" in await _refused(tls_server.address, tls)


async def test_an_expired_certificate_is_named(bundle: Path, folder: Path, ca: Pair) -> None:
    """An expired certificate is distinguished from one of an unknown CA."""
    with serving(bundle, *_options(ended(folder, "localhost", ca))) as server:
        said = await _refused(server.address, Tls(ca.certificate))
    assert "the server's certificate has expired" in said


async def test_plain_text_and_tls_are_told_apart(
    server: RunningServer, tls_server: RunningServer, ca: Pair
) -> None:
    """A TLS mismatch is reported in both directions."""
    assert "the server uses TLS" in await _refused(_by_name(tls_server), None)
    assert "the server does not use TLS" in await _refused(_by_name(server), Tls(ca.certificate))


async def test_a_client_certificate_is_missed(
    bundle: Path, shown: Pair, ca: Pair, other: Pair
) -> None:
    """A missing or untrusted client certificate is reported."""
    with serving(bundle, *_options(shown, "--tls-client-ca", ca.certificate)) as server:
        said = await _refused(server.address, Tls(ca.certificate))
        assert "it may require a client certificate" in said
        wrong = Tls(ca.certificate, other.certificate, other.key)
        said = await _refused(server.address, wrong)
        assert f"may have rejected the client certificate {other.certificate}" in said
        with Client(server.address, tls=Tls(ca.certificate, shown.certificate, shown.key)) as right:
            assert right.predict("the").suggestions


def test_where_nothing_listens_a_server_is_missed() -> None:
    """A refused connection is reported as such, with TLS too."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    for tls in (None, Tls()):
        with Client(address, tls=tls) as client, pytest.raises(Unavailable) as caught:
            client.predict("the")
        assert str(caught.value).startswith(f"no server answers at {address} ")


def test_files_that_are_none_are_refused_by_name(ca: Pair, other: Pair, tmp_path: Path) -> None:
    """Unusable TLS files are rejected before connecting."""
    (tmp_path / "text").write_text("none")
    for tls, path in (
        (Tls(tmp_path / "text"), tmp_path / "text"),
        (Tls(tmp_path / "missing"), tmp_path / "missing"),
        (Tls(None, ca.certificate, other.key), ca.certificate),
    ):
        with pytest.raises(InvalidFile) as caught:
            Client("localhost:1", tls=tls)
        assert caught.value.path == path


async def test_an_address_is_checked_before_anything_is_sent() -> None:
    """Both clients reject an invalid address before connecting."""
    for client in (Client, AsyncClient):
        with pytest.raises(InvalidInput, match="'localhost' is not HOST:PORT") as caught:
            client("localhost")
        assert caught.value.field == "address"


def test_a_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A remote server is reached through the proxy from the environment, which is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        proxy = f"http://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("http_proxy", proxy)
    with Client("192.0.2.1:50051") as client, pytest.raises(Unavailable) as caught:
        client.predict("the")
    assert "no answer through the proxy in http_proxy; set no_proxy=192.0.2.1" in str(caught.value)


def test_a_health_check_says_that_a_server_speaks_tls(
    tls_server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """`wordgate probe` reports a server that requires TLS."""
    with pytest.raises(SystemExit):
        commands.main(["probe", tls_server.address])
    said = capsys.readouterr().out
    assert said.startswith(f"{tls_server.address}: UNAVAILABLE: the server uses TLS")
