"""Whom a client trusts, and what it shows of itself.

Knows certificates and tokens; does not know what is asked. `wordgate.client` is what users import.
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
    # gRPC itself waits a second after one connection that failed, and up to two minutes later on.
    # A worker that is killed may refuse one, and a server that is started again is there soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),  # gRPC would share connections among clients
)


@dataclass(frozen=True)
class Tls:
    """How to speak TLS; all paths are PEM files, read when the client is made.

    `ca` signs the server's certificate, as a rule one of the public authorities that grpc knows.
    `certificate` and `key` are the client's own, for servers that want to see one. `server_name` is
    the name in the server's certificate, as a rule the host of the address.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """For a channel. Raises `InvalidInput` for one half of a pair, `InvalidFile`."""
        if (self.certificate is None) != (self.key is None):
            missing, given = ("key", "certificate") if self.certificate else ("certificate", "key")
            raise InvalidInput(f"tls.{missing}", f"is missing; {given} is useless without it")
        ca, certificate, key = map(_content, (self.ca, self.certificate, self.key))
        if self.ca is not None and ca is not None:
            _check_ca(self.ca, ca)
        pair = [path for path in (self.certificate, self.key) if path is not None]
        if pair and all(path.is_file() for path in pair):  # pipes are not read again
            check_key_pair(*pair)
        return grpc.ssl_channel_credentials(ca, key, certificate)

    def options(self, options: Options) -> Options:
        """A channel's options with the name that the server must have."""
        if self.server_name is None:
            return options
        return (*options, ("grpc.ssl_target_name_override", self.server_name))


def check_server(address: str) -> None:
    """Raise `InvalidInput` unless this is the address of a server, `TypeError` unless a str."""
    require_text(address, "address")
    try:
        check_target(address)
    except ValueError as error:
        raise InvalidInput("address", f"{address!r} {error}") from None


def blocking_channel(address: str, tls: Tls | None, options: Options) -> grpc.Channel:
    """A channel with TLS or in plain text."""
    target, options = grpc_target(address), (*options, *_direct(address))
    if tls is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, tls.credentials(), options=tls.options(options))


def asyncio_channel(address: str, tls: Tls | None, options: Options) -> grpc.aio.Channel:
    """The same for asyncio."""
    target, options = grpc_target(address), (*options, *_direct(address))
    if tls is None:
        return grpc.aio.insecure_channel(target, options=options)
    return grpc.aio.secure_channel(target, tls.credentials(), options=tls.options(options))


def metadata_of(token: str | None) -> Metadata:
    """The headers of every call. Raises `InvalidInput` for what cannot be a token."""
    if token is None:
        return ()
    if not token or not all("!" <= character <= "~" for character in token):
        raise InvalidInput("token", "is no word of visible ASCII characters")
    return (("authorization", f"Bearer {token}"),)


def _direct(address: str) -> Options:
    """Have gRPC pass over proxies that the environment names, for this machine's own addresses."""
    return (("grpc.enable_http_proxy", 0),) if is_local(address) else ()


def _content(path: Path | None) -> bytes | None:
    return None if path is None else read_input(path)


def _check_ca(path: Path, content: bytes) -> None:
    """Raise `InvalidFile` unless there are certificates: gRPC would not say so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=content.decode("latin-1"))
        is_usable = context.cert_store_stats()["x509"] > 0
    except (ssl.SSLError, ValueError):
        is_usable = False
    if not is_usable:
        raise InvalidFile(path, "has no certificate in PEM")
