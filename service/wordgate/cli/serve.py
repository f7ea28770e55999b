"""`wordgate serve`: answer over gRPC until SIGTERM.

The options are those of `server/configuration.py`, which declares each of them once.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from wordgate.cli.command import Command, SectionOption
from wordgate.server.configuration import FILE, Option, configure, options


@click.command(cls=Command, help="Serve models over gRPC: prediction, scoring, health, reflection.")
@click.option(
    "--check", is_flag=True, help="Only say whether options, certificate and tokens can be used."
)
def serve(check: bool, **given: Any) -> None:
    """Serve until SIGTERM or SIGINT. What is not given comes from the environment or a file."""
    configuration = configure(**{name: v for name, v in given.items() if v is not None})
    # grpc would print lines of its own about what is reported in ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from wordgate.server.processes import serve as run

    if check:
        from wordgate.server.server import check as examine

        examine(configuration)
        click.echo("options, certificate and tokens can be used")
    else:
        run(configuration)


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
