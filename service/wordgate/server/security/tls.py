"""The server's certificate, and whose certificates it wants to see.

Knows PEM files and grpc's credentials; does not know connections. grpc asks for the certificate at
each new connection, so one that was renewed is shown without a restart; what is open goes on.
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
    """Paths of PEM files: the certificate with its chain, its key, and who signs clients' ones."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """All that are named."""
        return [path for path in (self.certificate, self.key, self.client_ca) if path]


class Certificates:
    """What is shown to clients, read again when it is told to.

    `ends` has, by what a file is for, when the first certificate in it ends: seconds since 1970.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Raises `InvalidFile`."""
        self._files = files
        self._latest, self.ends = _read(files)
        self._shown = self._latest

    def read_again(self) -> None:
        """Show what the files hold now. Raises `InvalidFile`; then the old ones stay."""
        self._latest, self.ends = _read(self._files)

    def credentials(self) -> grpc.ServerCredentials:
        """For the port; grpc asks them at each connection, from threads of its own."""
        return grpc.dynamic_ssl_server_credentials(
            self._shown,
            self._newer,  # type: ignore[arg-type]  # None stands for no change
            require_client_authentication=self.asks_clients,
        )

    @property
    def asks_clients(self) -> bool:
        """Whether clients have to show a certificate of their own."""
        return self._files.client_ca is not None

    def _newer(self) -> grpc.ServerCertificateConfiguration | None:
        """What is to be shown from now on; None when that has not changed."""
        latest = self._latest
        if latest is self._shown:
            return None
        self._shown = latest
        return latest


def _read(files: TlsFiles) -> tuple[grpc.ServerCertificateConfiguration, dict[str, float]]:
    """The files' content, checked: grpc itself would find out at the first connection; and when
    the certificates in them end."""
    before = _contents(files)
    _check(files)
    contents = _contents(files)
    if contents != before:
        raise InvalidFile(files.certificate, "is being written; it will be read again")
    roots = contents[files.client_ca] if files.client_ca else None
    pair = contents[files.key], contents[files.certificate]
    ends = {
        name: _end(path, contents[path])
        for name, path in (("certificate", files.certificate), ("client_ca", files.client_ca))
        if path is not None
    }
    return grpc.ssl_server_certificate_configuration([pair], roots), ends


def _end(path: Path, pem: bytes) -> float:
    try:
        return earliest_end(pem)
    except ValueError:
        raise InvalidFile(path, "has a certificate that does not say when it ends") from None


def _contents(files: TlsFiles) -> dict[Path, bytes]:
    return {path: read_input(path) for path in files.paths}


def _check(files: TlsFiles) -> None:
    """Raise `InvalidFile` unless the files are certificates and the key belongs to the first."""
    check_key_pair(files.certificate, files.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
    except (OSError, ValueError) as error:
        problem = f"has no certificate in PEM ({tls_problem(error)})"
        raise InvalidFile(files.client_ca or "", problem) from None
