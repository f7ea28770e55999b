"""`--server` and what belongs to it: TLS and a token.

A token is never an argument: other users of the machine read those. It comes from a file or from
the environment.
"""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wordgate.client_address import check_target
from wordgate.engine.input_files import read_input
from wordgate.errors import InvalidFile

if TYPE_CHECKING:
    from wordgate.client import Client

F = TypeVar("F", bound=Callable[..., Any])

TOKEN_VARIABLE = "WORDGATE_TOKEN"

_PATH = click.Path(path_type=Path)
_OPTIONS = {
    "server": click.option(
        "--server",
        metavar="HOST:PORT",
        help=f"Ask a running server instead, or unix:PATH; its token may be in {TOKEN_VARIABLE}.",
    ),
    "token_file": click.option("--token-file", type=_PATH, help="The token, in a file."),
    "tls": click.option("--tls", is_flag=True, help="Speak TLS, trust the public authorities."),
    "tls_ca": click.option(
        "--tls-ca", type=_PATH, help="Speak TLS, trust who is in this PEM file."
    ),
    "tls_certificate": click.option(
        "--tls-certificate", type=_PATH, help="PEM file of a certificate of one's own."
    ),
    "tls_key": click.option("--tls-key", type=_PATH, help="PEM file of its private key."),
}


@dataclass(frozen=True)
class AskedServer:
    """A running server, and how it is spoken to."""

    address: str
    token_file: Path | None = None
    tls: bool = False
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    def connect(self, model: str = "", *, batch: bool = False) -> "Client":
        """A client of it. Raises as `Client`, and `InvalidFile` for the token's file."""
        from wordgate.client import Client
        from wordgate.client_security import Tls

        files = self.tls_ca, self.tls_certificate, self.tls_key
        tls = Tls(*files) if self.tls or any(files) else None
        return Client(self.address, model=model, tls=tls, token=self._token(), batch=batch)

    def _token(self) -> str | None:
        if self.token_file is None:
            return os.environ.get(TOKEN_VARIABLE) or None
        try:
            return read_input(self.token_file).decode("utf-8").strip()
        except UnicodeDecodeError:
            raise InvalidFile(self.token_file, "is not a token: not UTF-8") from None


def _check(address: str) -> None:
    """Raise `click.BadParameter` for what is no address, before a server is spoken of."""
    try:
        check_target(address)
    except ValueError as error:
        raise click.BadParameter(f"{address!r} {error}", param_hint="--server") from None


def server_options(command: F) -> F:
    """`--server` and its companions; the command takes them as one `server`, or None."""

    @functools.wraps(command)
    def gathered(*arguments: Any, **given: Any) -> Any:
        mine = {name: given.pop(name) for name in _OPTIONS}
        address = mine.pop("server")
        companions = [name for name, value in mine.items() if value]
        if companions and address is None:
            flag = "--" + companions[0].replace("_", "-")
            raise click.UsageError(f"{flag} belongs to --server, which is missing")
        if address is not None:
            _check(address)
        server = AskedServer(address, **mine) if address is not None else None
        return command(*arguments, server=server, **given)

    decorated: Any = gathered
    for option in reversed(_OPTIONS.values()):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
