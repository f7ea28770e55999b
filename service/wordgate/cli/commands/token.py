"""`wordgate token`: make a token and the line by which a server knows it."""

import secrets

import click

from wordgate.cli.command import Command
from wordgate.errors import InvalidInput
from wordgate.server.security.quota import Quota
from wordgate.server.security.tokens import Token, check_name, digest_of, new_token

_SALT_BYTES = 16


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
    help="Rows of the model that its callers may ask for.  [no bound]",
)
@click.option(
    "--streams",
    type=click.IntRange(0, 999_999_999),
    help="Sessions and other streams that its callers may have open at once.  [no bound]",
)
@click.option(
    "--own-cache",
    is_flag=True,
    help="Share nothing that was computed with other callers, so that the time of an answer says "
    "nothing of their texts.",
)
def token(name: str, rows_per_second: float | None, streams: int | None, own_cache: bool) -> None:
    """Make a token for the callers that NAME names, as in the log.

    The token goes to standard error: it is shown this once, and kept nowhere. Its line goes to
    standard output; put it into the server's --tokens-file:

        wordgate token phone >> tokens
    """
    made = new_token()
    salt = secrets.token_hex(_SALT_BYTES).encode() if own_cache else None
    click.echo(Token(name, digest_of(made), Quota(rows_per_second, streams), salt).line)
    click.echo(made, err=True)
