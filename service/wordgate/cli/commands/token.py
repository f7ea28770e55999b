"""`wordgate token`: create a bearer token and its line for the server's tokens file."""

import secrets

import click

from wordgate.cli.command import Command
from wordgate.errors import InvalidInput
from wordgate.server.security.quota import Quota
from wordgate.server.security.tokens import Token, check_name, digest_of, new_token

_NAMESPACE_BYTES = 16


def _checked(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return check_name(value)
    except InvalidInput as error:
        raise click.BadParameter(error.problem) from None


@click.command(cls=Command)
@click.argument("name", callback=_checked)
@click.option(
    "--rows-per-second",
    type=click.FloatRange(0.001, 999_999_999),
    help="Quota of model rows per second.  [unlimited]",
)
@click.option(
    "--streams",
    type=click.IntRange(0, 999_999_999),
    help="Maximum number of concurrent typing sessions and other streams.  [unlimited]",
)
@click.option(
    "--isolate-cache",
    is_flag=True,
    help="Do not share cached states with other tokens, so that response times reveal nothing "
    "about other clients' texts.",
)
def token(
    name: str, rows_per_second: float | None, streams: int | None, isolate_cache: bool
) -> None:
    """Create a bearer token for the clients called NAME in the server's log.

    The token is printed on standard error, once, and is not stored. Its line, which contains only
    a hash, is printed on standard output; append it to the server's --tokens-file:

        wordgate token phone >> tokens
    """
    made = new_token()
    namespace = secrets.token_hex(_NAMESPACE_BYTES).encode() if isolate_cache else None
    click.echo(Token(name, digest_of(made), Quota(rows_per_second, streams), namespace).line)
    click.echo(made, err=True)
