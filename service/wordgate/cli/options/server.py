"""`--server` and its related options: TLS and a bearer token.

The token is never a command-line argument, because other users of the machine can read those. It
comes from a file or from the environment.
"""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from wordgate.cli.command import SectionOption
from wordgate.cli.options.paths import INPUT_FILE
from wordgate.errors import InvalidConfiguration, InvalidFile, InvalidInput
from wordgate.protocol.address import check_target
from wordgate.text.input_files import read_input

if TYPE_CHECKING:
    from wordgate.client import Client

F = TypeVar("F", bound=Callable[..., Any])

TOKEN_VARIABLE = "WORDGATE_TOKEN"
PriorityName = Literal["realtime", "batch"]

_option = partial(click.option, cls=SectionOption, section="Server")
_OPTIONS = {
    "server": _option(
        "--server",
        metavar="HOST:PORT",
        help=f"Use a running server (or unix:PATH); reads a bearer token from {TOKEN_VARIABLE}.",
    ),
    "token_file": _option("--token-file", type=INPUT_FILE, help="File with the bearer token."),
    "tls": _option("--tls", is_flag=True, help="Use TLS with the public root CAs."),
    "tls_ca": _option(
        "--tls-ca", type=INPUT_FILE, help="Use TLS and trust the CAs in this PEM file."
    ),
    "tls_certificate": _option(
        "--tls-certificate", type=INPUT_FILE, help="PEM file with a client certificate."
    ),
    "tls_key": _option(
        "--tls-key", type=INPUT_FILE, help="PEM file with the client certificate's private key."
    ),
}


@dataclass(frozen=True)
class ServerConnection:
    """Address, TLS files and token file of a running server."""

    address: str
    token_file: Path | None = None
    tls: bool = False
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    def connect(self, model: str = "", *, priority: PriorityName = "realtime") -> "Client":
        """Return a client. Raises the errors of `Client`, and `InvalidFile` for the token file."""
        from wordgate.client import Client, Priority
        from wordgate.client.tls import Tls

        files = self.tls_ca, self.tls_certificate, self.tls_key
        tls = Tls(*files) if self.tls or any(files) else None
        try:
            return Client(
                self.address,
                model=model,
                tls=tls,
                token=self._token(),
                priority=Priority[priority.upper()],
            )
        except InvalidInput as error:
            if error.field != "token":
                raise
            if self.token_file is not None:
                raise InvalidFile(self.token_file, "does not contain a token") from None
            raise InvalidConfiguration("token", error.problem, TOKEN_VARIABLE) from None

    def _token(self) -> str | None:
        if self.token_file is None:
            return os.environ.get(TOKEN_VARIABLE) or None
        try:
            return read_input(self.token_file).decode("utf-8").strip()
        except UnicodeDecodeError:
            raise InvalidFile(self.token_file, "is not a token: not UTF-8") from None


def _check(address: str) -> None:
    """Raise `click.UsageError` for an invalid address."""
    try:
        check_target(address)
    except ValueError as error:
        raise click.UsageError(f"--server: {error} (it is {address!r})") from None


def server_options(command: F) -> F:
    """Add `--server` and its related options; the command receives one `server`, or None."""

    @functools.wraps(command)
    def gathered(*arguments: Any, **given: Any) -> Any:
        settings = {name: given.pop(name) for name in _OPTIONS}
        address = settings.pop("server")
        used = [name for name, value in settings.items() if value]
        if used and address is None:
            flag = "--" + used[0].replace("_", "-")
            raise click.UsageError(f"{flag}: requires --server HOST:PORT")
        if address is not None:
            _check(address)
        server = ServerConnection(address, **settings) if address is not None else None
        return command(*arguments, server=server, **given)

    decorated: Any = gathered
    for option in reversed(_OPTIONS.values()):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
