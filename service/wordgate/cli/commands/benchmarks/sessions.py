"""`wordgate bench sessions`: the memory of idle typing sessions."""

from pathlib import Path

import click

from wordgate.cli.command import Command
from wordgate.cli.commands.benchmarks.options import COUNT, model_option, show
from wordgate.cli.options.model import json_option
from wordgate.cli.terminal.progress import say


@click.command(cls=Command)
@click.option(
    "--sessions", type=COUNT, default=2000, show_default=True, help="Concurrent sessions."
)
@model_option
@json_option
def sessions(sessions: int, path: Path | None, as_json: bool) -> None:
    """Compare the memory of an idle typing session with that of an idle gRPC stream.

    Measures a server's resident memory before and after the sessions are opened and the same text
    is typed in each. The baseline is a gRPC server whose handler only reads.
    """
    say(f"opening {sessions:,} sessions on one server, {sessions:,} streams on another")
    from wordgate.bench import session_memory
    from wordgate.bundle.bundled_model import resolve_bundle

    show(session_memory.run(resolve_bundle(path), sessions), as_json)
