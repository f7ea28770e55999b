"""`wordgate bench http`: the latency of keystrokes over HTTP and gRPC."""

from pathlib import Path

import click

from wordgate.cli.command import Command
from wordgate.cli.commands.benchmarks.options import (
    max_suggestions_option,
    messages_option,
    model_label,
    model_option,
    show,
)
from wordgate.cli.options.model import json_option
from wordgate.cli.terminal.progress import say


@click.command(cls=Command)
@messages_option
@max_suggestions_option
@model_option
@json_option
def http(
    messages_file: Path | None, max_suggestions: int, path: Path | None, as_json: bool
) -> None:
    """Compare a typing session with unary requests, over gRPC and as JSON over HTTP.

    One typist types all messages key by key. Each key is sent in the three ways in turn; unary
    requests send the history and the prefix again with every key.
    """
    from wordgate.bench.local_server import local_server
    from wordgate.bench.typing import http_typing
    from wordgate.bench.typing.keys import typed_messages
    from wordgate.bundle.bundled_model import resolve_bundle

    messages = typed_messages(messages_file)
    say(f"typing {len(messages):,} messages in three ways")
    bundle = resolve_bundle(path)
    with local_server(bundle, 1, more=["--http-listen", "127.0.0.1:0"]) as server:
        figures = http_typing.run(server, messages, max_suggestions)
    show(figures | {"model": model_label(bundle)}, as_json)
