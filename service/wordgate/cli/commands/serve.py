"""`wordgate serve`: run the gRPC server until SIGTERM.

The options are declared in `wordgate.server.config.options`.
"""

from collections.abc import Sequence
from typing import Any

import click

from wordgate.cli.command import Command
from wordgate.cli.options.configuration import FILE, configuration_of, configuration_options
from wordgate.server.config.options import Configuration


@click.command(
    cls=Command,
    params=[FILE, *configuration_options()],
    help="Serve models over gRPC: prediction, scoring, health, reflection.",
)
@click.option("--check", is_flag=True, help="Validate options, certificate and tokens, and exit.")
@click.pass_context
def serve(ctx: click.Context, /, check: bool, **_options: Any) -> None:
    """Serve until SIGTERM or SIGINT. Missing options come from the environment or a file."""
    configuration = configuration_of(ctx)
    from wordgate.server.run import serve as run

    if check:
        _examine(configuration)
    else:
        run(configuration)


def configure(arguments: Sequence[str] = ()) -> Configuration:
    """Return the configuration of a server that is started with these arguments here."""
    return configuration_of(serve.make_context("serve", list(arguments)))


def _examine(configuration: Configuration) -> None:
    from wordgate.server.server import check

    check(configuration)
    click.echo("options, certificate and tokens are valid")
