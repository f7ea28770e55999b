"""Set up TLS and token authentication from the server's options."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from grpc.aio import Server as GrpcServer

from wordgate.server.config.options import Configuration
from wordgate.server.security.authentication import Authenticator
from wordgate.server.security.file_reloader import LOOK_SECONDS, FileReloader
from wordgate.server.security.tls import Certificates, TlsFiles
from wordgate.server.security.tokens import read_tokens
from wordgate.server.telemetry.metrics import Metrics


class Security:
    """The certificate and the valid tokens of a server, reloaded when their files change."""

    def __init__(self, configuration: Configuration, metrics: Metrics) -> None:
        """Read the files. Raises `InvalidFile`."""
        self._reloader = FileReloader(metrics)
        self.certificates = self._read_certificate(configuration, metrics)
        self.callers = self._read_tokens(configuration)

    def add_port(self, server: GrpcServer, address: str) -> int:
        """Bind an address, with TLS if there is a certificate, and return the port.

        Raises `RuntimeError` if grpc cannot bind it.
        """
        if self.certificates is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, self.certificates.credentials())

    @asynccontextmanager
    async def kept_current(self) -> AsyncIterator[None]:
        """Reload changed files inside the context."""
        polling = asyncio.create_task(self._reloader.run(LOOK_SECONDS))
        try:
            yield
        finally:
            polling.cancel()

    def _read_certificate(
        self, configuration: Configuration, metrics: Metrics
    ) -> Certificates | None:
        certificate, key = configuration.tls_certificate, configuration.tls_key
        if certificate is None or key is None:
            return None
        files = TlsFiles(certificate, key, configuration.tls_client_ca)
        certificates = Certificates(files)
        _tell_ends(certificates, metrics)

        def read_again() -> None:
            certificates.read_again()
            _tell_ends(certificates, metrics)

        self._reloader.watch("certificate", files.paths, read_again)
        return certificates

    def _read_tokens(self, configuration: Configuration) -> Authenticator | None:
        path = configuration.tokens_file
        if path is None:
            return None
        callers = Authenticator(read_tokens(path))
        self._reloader.watch("tokens", [path], lambda: callers.replace(read_tokens(path)))
        return callers


def _tell_ends(certificates: Certificates, metrics: Metrics) -> None:
    """Export the expiry dates, and log expired certificates: clients refuse to connect then."""
    metrics.certificates_end(certificates.ends)
    for name, end in certificates.ends.items():
        if end < time.time():
            at = datetime.fromtimestamp(end, UTC).isoformat()
            structlog.get_logger().warning("certificate expired", file=name, at=at)
