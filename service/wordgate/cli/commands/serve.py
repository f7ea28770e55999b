"""`wordgate serve`: run the gRPC server until SIGTERM.

The options are declared in `wordgate.server.config.options`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from wordgate.cli.command import Command, SectionOption
from wordgate.errors import InvalidConfiguration
from wordgate.server.config.options import (
    FILE,
    Configuration,
    Option,
    configure_with_places,
    options,
)


@click.command(cls=Command, help="Serve models over gRPC: prediction, scoring, health, reflection.")
@click.option("--check", is_flag=True, help="Validate options, certificate and tokens, and exit.")
def serve(check: bool, **given: Any) -> None:
    """Serve until SIGTERM or SIGINT. Missing options come from the environment or a file."""
    configuration, places = configure_with_places(
        **{name: v for name, v in given.items() if v is not None}
    )
    from wordgate.server.run import serve as run

    try:
        if check:
            _examine(configuration)
        else:
            run(configuration)
    except InvalidConfiguration as error:
        place = error.place or places.get(error.option, "")
        raise InvalidConfiguration(error.option, error.problem, place) from None


def _examine(configuration: Configuration) -> None:
    from wordgate.server.server import check

    check(configuration)
    click.echo("options, certificate and tokens are valid")


_METAVARS: dict[type, str] = {int: "N", float: "N", str: "TEXT", Path: "PATH"}


def _flag(option: Option) -> Callable[[Command], Command]:
    shown = "" if option.default in {None, ""} else f"{option.default}; "
    return click.option(
        option.flag,
        option.name,
        cls=SectionOption,
        section=option.section,
        metavar=_METAVARS.get(option.kind) if not option.choices else None,
        type=click.Choice(option.choices) if option.choices else option.kind,
        default=None,
        help=f"{option.description}  [{shown}{option.variable}]",
    )


for _option in (FILE, *options()):
    serve = _flag(_option)(serve)
