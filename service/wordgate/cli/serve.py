"""`wordgate serve`: answer over gRPC until SIGTERM.

The options are those of `server/configuration.py`, which declares each of them once.
"""

import os
from collections.abc import Callable
from typing import Any

import click

from wordgate.server.configuration import Option, configure, options


@click.command(help="Serve models over gRPC: prediction, scoring, health, reflection.")
def serve(**given: Any) -> None:
    """Serve until SIGTERM or SIGINT. What is not given comes from the environment."""
    # grpc would print lines of its own about what is reported in ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from wordgate.server.processes import serve as run

    run(configure(**{name: value for name, value in given.items() if value is not None}))


def _flag(option: Option) -> Callable[[click.Command], click.Command]:
    shown = "" if option.default in {None, ""} else f"{option.default}; "
    return click.option(
        option.flag,
        option.name,
        type=click.Choice(option.choices) if option.choices else option.kind,
        default=None,
        help=f"{option.description}  [{shown}{option.variable}]",
    )


for _option in options():
    serve = _flag(_option)(serve)
