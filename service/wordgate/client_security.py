"""Whom a client trusts, and what it shows of itself.

Knows certificates and tokens; does not know what is asked. `wordgate.client` is what users import.
"""

from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio

from wordgate.errors import InvalidInput, unreadable

Metadata = tuple[tuple[str, str], ...]
Options = tuple[tuple[str, int | str], ...]


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
        return grpc.ssl_channel_credentials(
            root_certificates=_content(self.ca),
            private_key=_content(self.key),
            certificate_chain=_content(self.certificate),
        )

    def options(self, options: Options) -> Options:
        """A channel's options with the name that the server must have."""
        if self.server_name is None:
            return options
        return (*options, ("grpc.ssl_target_name_override", self.server_name))


def blocking_channel(address: str, tls: Tls | None, options: Options) -> grpc.Channel:
    """A channel with TLS or in plain text."""
    if tls is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, tls.credentials(), options=tls.options(options))


def asyncio_channel(address: str, tls: Tls | None, options: Options) -> grpc.aio.Channel:
    """The same for asyncio."""
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, tls.credentials(), options=tls.options(options))


def metadata_of(token: str | None) -> Metadata:
    """The headers of every call. Raises `InvalidInput` for what cannot be a token."""
    if token is None:
        return ()
    if not token or not all("!" <= character <= "~" for character in token):
        raise InvalidInput("token", "is no word of visible ASCII characters")
    return (("authorization", f"Bearer {token}"),)


def _content(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
