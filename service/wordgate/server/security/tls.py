"""TLS credentials: the server's certificate, and the CA bundle for client certificates.

grpc asks for the certificate at each new connection, so a renewed one is used without a restart.
Open connections are not affected.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from wordgate.errors import InvalidFile
from wordgate.protocol.certificates import check_key_pair, tls_problem
from wordgate.server.security.certificate_expiry import earliest_end
from wordgate.text.input_files import read_input


@dataclass(frozen=True)
class TlsFiles:
    """Paths of PEM files: the certificate with its chain, its private key, and the client CAs."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """Paths of the configured files."""
        return [path for path in (self.certificate, self.key, self.client_ca) if path]


class Certificates:
    """The certificates in use, which can be reloaded.

    `ends` has the earliest expiry date (Unix time in seconds) by the role of the file:
    "certificate" or "client_ca". `context` is for HTTP connections.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Read the files. Raises `InvalidFile`."""
        self._files = files
        self._latest, self.context, self.ends = _read(files)
        self._shown = self._latest

    def read_again(self) -> None:
        """Reload the files. Raises `InvalidFile` and then keeps the previous certificates."""
        self._latest, self.context, self.ends = _read(self._files)

    def credentials(self) -> grpc.ServerCredentials:
        """Return the credentials for a port. grpc's threads query them at each connection."""
        return grpc.dynamic_ssl_server_credentials(
            self._shown,
            self._newer,  # type: ignore[arg-type]  # None means no change
            require_client_authentication=self.asks_clients,
        )

    @property
    def asks_clients(self) -> bool:
        """Whether clients must present a certificate (mutual TLS)."""
        return self._files.client_ca is not None

    def _newer(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the new certificates after a reload, or None if they have not changed."""
        latest = self._latest
        if latest is self._shown:
            return None
        self._shown = latest
        return latest


def _read(
    files: TlsFiles,
) -> tuple[grpc.ServerCertificateConfiguration, ssl.SSLContext, dict[str, float]]:
    """Read and check the files; return the configurations and the expiry dates.

    grpc itself would detect an error only at the first connection.
    """
    before = _contents(files)
    check_key_pair(files.certificate, files.key)
    context = _context(files)
    contents = _contents(files)
    if contents != before:
        raise InvalidFile(files.certificate, "changed while it was being read; read it again")
    roots = contents[files.client_ca] if files.client_ca else None
    pair = contents[files.key], contents[files.certificate]
    ends = {
        name: _end(path, contents[path])
        for name, path in (("certificate", files.certificate), ("client_ca", files.client_ca))
        if path is not None
    }
    return grpc.ssl_server_certificate_configuration([pair], roots), context, ends


def _end(path: Path, pem: bytes) -> float:
    try:
        return earliest_end(pem)
    except ValueError:
        raise InvalidFile(path, "contains a certificate without a valid expiry date") from None


def _contents(files: TlsFiles) -> dict[Path, bytes]:
    return {path: read_input(path) for path in files.paths}


def _context(files: TlsFiles) -> ssl.SSLContext:
    """Return the configuration for HTTP. Raises `InvalidFile` for invalid client CAs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(files.certificate, files.key)
    if files.client_ca is None:
        return context
    try:
        context.load_verify_locations(files.client_ca)
    except (OSError, ValueError) as error:
        problem = f"contains no valid PEM certificate ({tls_problem(error)})"
        raise InvalidFile(files.client_ca, problem) from None
    context.verify_mode = ssl.CERT_REQUIRED
    return context
