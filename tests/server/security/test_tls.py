"""TLS with real certificates on a real server, renewed and broken while it serves."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.running import RunningServer, serving, until
from tests.server.certificates import Pair, authority, end_of, ended, lock, signed

from wordgate.client import AsyncClient, Client
from wordgate.client.tls import Tls
from wordgate.errors import InvalidFile, InvalidInput, Unavailable
from wordgate.protocol.address import split_address
from wordgate.server.security.tls import Certificates, TlsFiles

RELOADS = "wordgate_file_reloads_total"
ENDS = "wordgate_certificate_expiration_timestamp_seconds"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The CA of the server's and the clients' certificates."""
    return authority(tmp_path_factory.mktemp("ca"), "ca")


@pytest.fixture
def shown(ca: Pair, tmp_path: Path) -> Pair:
    """The server's certificate."""
    return signed(tmp_path, "shown", ca)


@pytest.fixture(scope="module")
def tls_server(
    bundle: Path, ca: Pair, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server with TLS, whose certificate no test changes."""
    with serving(bundle, *_options(signed(tmp_path_factory.mktemp("tls"), "shown", ca))) as server:
        yield server


async def test_clients_speak_tls(tls_server: RunningServer, ca: Pair) -> None:
    """Both clients connect if they trust the CA."""
    tls = Tls(ca.certificate)
    with Client(tls_server.address, tls=tls) as client:
        answer = client.predict("the")
    async with AsyncClient(tls_server.address, tls=tls) as asynchronous:
        assert await asynchronous.predict("the") == answer


def test_plaintext_clients_are_rejected(tls_server: RunningServer) -> None:
    """A client without TLS gets an error that names the likely cause."""
    with Client(tls_server.address) as client, pytest.raises(Unavailable, match="TLS"):
        client.predict("the")


def test_an_unknown_ca_is_not_trusted(tls_server: RunningServer, tmp_path: Path) -> None:
    """A client does not connect to a server whose CA it does not trust."""
    other = authority(tmp_path, "other")
    tls = Tls(other.certificate)
    with Client(tls_server.address, tls=tls) as client, pytest.raises(Unavailable):
        client.predict("the")


def test_the_server_name_is_verified(tls_server: RunningServer, ca: Pair) -> None:
    """A certificate for another host is rejected unless `server_name` names that host."""
    port = split_address(tls_server.address)[1]
    tls = Tls(ca.certificate, server_name="localhost")
    with Client(f"127.0.0.1:{port}", tls=tls) as client:
        assert client.predict("the").suggestions
    tls = Tls(ca.certificate, server_name="example.org")
    with Client(f"127.0.0.1:{port}", tls=tls) as client, pytest.raises(Unavailable):
        client.predict("the")


def test_client_certificates_are_required(bundle: Path, ca: Pair, shown: Pair) -> None:
    """With `tls_client_ca`, only clients with a certificate of that CA are answered."""
    folder = shown.certificate.parent
    mine, stranger = signed(folder, "mine", ca), authority(folder, "stranger")
    options = (*_options(shown), "--tls-client-ca", str(ca.certificate))
    with serving(bundle, *options) as server:
        with Client(server.address, tls=Tls(ca.certificate, mine.certificate, mine.key)) as client:
            assert client.predict("the").suggestions
        for pair in ((None, None), (stranger.certificate, stranger.key)):
            tls = Tls(ca.certificate, *pair)
            with Client(server.address, tls=tls) as client, pytest.raises(Unavailable):
                client.predict("the")


def test_a_certificate_is_renewed_while_serving(bundle: Path, ca: Pair, shown: Pair) -> None:
    """New connections use the new certificate, and open ones continue.

    An invalid certificate changes nothing.
    """
    with (
        serving(bundle, *_options(shown)) as server,
        Client(server.address, tls=Tls(ca.certificate)) as client,
    ):
        first = _seen(server)
        client.predict("the")
        shown.replace(signed(shown.certificate.parent, "second", ca))
        until(lambda: server.metric(RELOADS, file="certificate", result="read") == 1, "the reload")
        second = _seen(server)
        assert second != first
        client.predict("the")

        shown.certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
        refused = {"file": "certificate", "result": "rejected"}
        until(lambda: server.metric(RELOADS, **refused) == 1, "the refusal")
        assert "shown.pem" in server.output
        assert _seen(server) == second
        client.predict("the")

        shown.replace(signed(shown.certificate.parent, "third", ca))
        until(lambda: server.metric(RELOADS, file="certificate", result="read") == 2, "the next")
        assert _seen(server) not in {first, second}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_expiry_dates_are_exported(bundle: Path, ca: Pair, shown: Pair, workers: str) -> None:
    """The metrics show the expiry of the server's certificate and of the client CA.

    They do so with any number of workers, and are updated after a renewal.
    """
    options = (*_options(shown), "--tls-client-ca", str(ca.certificate), "--workers", workers)
    with serving(bundle, *options) as server:
        assert server.metric(ENDS, file="certificate") == end_of(shown.certificate)
        assert server.metric(ENDS, file="client_ca") == end_of(ca.certificate)
        shown.replace(signed(shown.certificate.parent, "second", ca, days=90))
        renewed = end_of(shown.certificate)
        until(lambda: server.metric(ENDS, file="certificate") == renewed, "the new end")
        assert server.metric(ENDS, file="client_ca") == end_of(ca.certificate)


def test_an_expired_certificate_is_logged(bundle: Path, ca: Pair, shown: Pair) -> None:
    """It is logged at start-up and after a reload, since only the clients notice it."""
    folder = shown.certificate.parent
    files = ended(folder, "ended", ca)
    with serving(bundle, *_options(files)) as server:
        assert server.output.count("certificate expired") == 1
        files.replace(signed(folder, "good", ca))
        until(lambda: server.metric(RELOADS, file="certificate", result="read") == 1, "the reload")
        assert server.output.count("certificate expired") == 1
        files.replace(ended(folder, "ended again", ca))
        until(lambda: server.output.count("certificate expired") == 2, "the warning")


def test_without_tls_no_expiry_date_is_exported(server: RunningServer) -> None:
    """A plaintext server has no series that an alert could match."""
    assert ENDS + "{" not in server.get("/metrics")[1]


@pytest.mark.parametrize("spoiled", ["certificate", "key", "other key", "locked key", "client ca"])
def test_invalid_tls_files_are_rejected_by_name(ca: Pair, tmp_path: Path, spoiled: str) -> None:
    """Mismatched files neither start a server nor replace the ones in use."""
    pair = signed(tmp_path, "pair", ca)
    files = TlsFiles(pair.certificate, pair.key, ca.certificate)
    Certificates(files)
    match spoiled:
        case "certificate":
            pair.certificate.write_text("nothing")
        case "key":
            pair.key.unlink()
        case "other key":
            pair.key.write_bytes(ca.key.read_bytes())
        case "locked key":
            lock(pair.key)
        case "client ca":
            empty = tmp_path / "empty.pem"
            empty.write_text("")
            files = TlsFiles(pair.certificate, pair.key, empty)
    with pytest.raises(InvalidFile) as caught:
        Certificates(files)
    assert caught.value.path in files.paths


def test_the_client_rejects_half_of_a_pair(ca: Pair) -> None:
    """A client certificate without its key, or the reverse, is an error that names it."""
    with pytest.raises(InvalidInput) as caught:
        Client("localhost:1", tls=Tls(certificate=ca.certificate))
    assert caught.value.field == "tls.key"
    with pytest.raises(InvalidInput) as caught:
        Client("localhost:1", tls=Tls(key=ca.key))
    assert caught.value.field == "tls.certificate"
    with pytest.raises(InvalidFile):
        Client("localhost:1", tls=Tls(ca=Path("nowhere.pem")))


def _options(shown: Pair) -> tuple[str, ...]:
    files = ("--tls-certificate", str(shown.certificate), "--tls-key", str(shown.key))
    return ("--listen", "localhost:0", *files)


def _seen(server: RunningServer) -> str:
    """Return the certificate that the server presents on a new connection."""
    return ssl.get_server_certificate(split_address(server.address))
