"""TLS settings, bearer tokens and gRPC channels of the clients.

Users import `wordgate.client`; `Tls` is here.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio

from wordgate.client.retry_policy import SERVICE_CONFIG
from wordgate.errors import InvalidFile, InvalidInput
from wordgate.protocol.address import check_target, grpc_target, is_local
from wordgate.protocol.certificates import check_key_pair
from wordgate.text.argument_types import require_text
from wordgate.text.input_files import read_input

Metadata = tuple[tuple[str, str], ...]
Options = tuple[tuple[str, int | str], ...]

DEFAULT_TIMEOUT_SECONDS = 60.0
CHANNEL_OPTIONS: Options = (
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.service_config", SERVICE_CONFIG),
    # By default gRPC waits 1 s after a failed connection, and up to 120 s after several.
    # Reconnect sooner: a killed worker may refuse a connection, and servers restart quickly.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),  # do not share connections between clients
)


@dataclass(frozen=True)
class Tls:
    """TLS settings. All paths are PEM files, which are read when the client is created.

    `ca` holds the CAs to trust; the default is grpc's bundle of public root CAs. `certificate` and
    `key` are the client's own, for servers that require mutual TLS. `server_name` is the name to
    expect in the server's certificate; the default is the host of the address.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Return channel credentials.

        Raises `InvalidInput` for a certificate without a key or a key without a certificate, and
        `InvalidFile` for a file that cannot be used.
        """
        if (self.certificate is None) != (self.key is None):
            missing, given = ("key", "certificate") if self.certificate else ("certificate", "key")
            raise InvalidInput(f"tls.{missing}", f"is missing; {given} requires it")
        ca, certificate, key = map(_content, (self.ca, self.certificate, self.key))
        if self.ca is not None and ca is not None:
            _check_ca(self.ca, ca)
        pair = [path for path in (self.certificate, self.key) if path is not None]
        if pair and all(path.is_file() for path in pair):  # a pipe can be read only once
            check_key_pair(*pair)
        return grpc.ssl_channel_credentials(ca, key, certificate)

    def options(self, options: Options) -> Options:
        """Return channel options, with the expected server name added."""
        if self.server_name is None:
            return options
        return (*options, ("grpc.ssl_target_name_override", self.server_name))


def check_server(address: str) -> None:
    """Raise `InvalidInput` for an invalid server address, `TypeError` if it is not a str."""
    require_text(address, "address")
    try:
        check_target(address)
    except ValueError as error:
        raise InvalidInput("address", f"{address!r} {error}") from None


def blocking_channel(address: str, tls: Tls | None, options: Options) -> grpc.Channel:
    """Return a channel, with TLS unless `tls` is None."""
    target, options = grpc_target(address), (*options, *_direct(address))
    if tls is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, tls.credentials(), options=tls.options(options))


def asyncio_channel(address: str, tls: Tls | None, options: Options) -> grpc.aio.Channel:
    """Same as `blocking_channel`, but for asyncio."""
    target, options = grpc_target(address), (*options, *_direct(address))
    if tls is None:
        return grpc.aio.insecure_channel(target, options=options)
    return grpc.aio.secure_channel(target, tls.credentials(), options=tls.options(options))


def metadata_of(token: str | None) -> Metadata:
    """Return the metadata of every call. Raises `InvalidInput` for an invalid token."""
    if token is None:
        return ()
    if not token or not all("!" <= character <= "~" for character in token):
        raise InvalidInput("token", "must be printable ASCII characters without spaces")
    return (("authorization", f"Bearer {token}"),)


def _direct(address: str) -> Options:
    """Disable proxies from the environment for local addresses."""
    return (("grpc.enable_http_proxy", 0),) if is_local(address) else ()


def _content(path: Path | None) -> bytes | None:
    return None if path is None else read_input(path)


def _check_ca(path: Path, content: bytes) -> None:
    """Raise `InvalidFile` for a file without certificates, which gRPC would accept silently."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=content.decode("latin-1"))
        is_usable = context.cert_store_stats()["x509"] > 0
    except (ssl.SSLError, ValueError):
        is_usable = False
    if not is_usable:
        raise InvalidFile(path, "does not contain a PEM certificate")
