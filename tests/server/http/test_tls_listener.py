"""TLS over HTTP, with the certificates of gRPC."""

import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.running import serving, until
from tests.server.certificates import authority, signed
from tests.server.http.asking import PREDICT, connected, post
from tests.server.http.conftest import HTTP

FINE = {"history": "the cat"}


def trusting(certificate: Path) -> ssl.SSLContext:
    """Return a client's configuration that trusts one CA."""
    return ssl.create_default_context(cafile=str(certificate))


def test_http_uses_the_certificate_of_grpc_and_its_successor(bundle: Path, tmp_path: Path) -> None:
    """After the files change, new connections get the new certificate."""
    old, new = authority(tmp_path, "old"), authority(tmp_path, "new")
    pair = signed(tmp_path, "server", old)
    options = ["--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key)]
    with serving(bundle, *HTTP, *options) as server:
        assert post(server, PREDICT, FINE, tls=trusting(old.certificate)).status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            post(server, PREDICT, FINE, tls=trusting(new.certificate))
        with connected(server, b"POST / HTTP/1.1\r\n\r\n") as plain:
            assert b"HTTP" not in plain.recv(1000)
        pair.replace(signed(tmp_path, "other", new))

        def renewed() -> bool:
            try:
                return post(server, PREDICT, FINE, tls=trusting(new.certificate)).status == 200
            except ssl.SSLError:
                return False

        until(renewed, "the new certificate")


def test_a_client_certificate_is_required_over_http_too(bundle: Path, tmp_path: Path) -> None:
    """With mutual TLS, a client without a certificate gets no answer."""
    ca = authority(tmp_path, "ca")
    pair, client = signed(tmp_path, "server", ca), signed(tmp_path, "client", ca)
    options = ["--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key)]
    options += ["--tls-client-ca", str(ca.certificate)]
    with serving(bundle, *HTTP, *options) as server:
        with pytest.raises(OSError):
            post(server, PREDICT, FINE, tls=trusting(ca.certificate))
        known = trusting(ca.certificate)
        known.load_cert_chain(client.certificate, client.key)
        assert post(server, PREDICT, FINE, tls=known).status == 200


def test_connections_without_a_handshake_leave_room_for_others(
    bundle: Path, tmp_path: Path
) -> None:
    """Silent connections count before they have proved anything; the longest idle one is closed."""
    ca = authority(tmp_path, "ca")
    pair = signed(tmp_path, "server", ca)
    options = ["--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key)]
    with serving(bundle, *HTTP, *options) as server, ExitStack() as open_ones:
        for _ in range(400):
            open_ones.enter_context(connected(server))
        assert post(server, PREDICT, FINE, tls=trusting(ca.certificate)).status == 200
        server.terminate()
        assert server.wait() == 0
