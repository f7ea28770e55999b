"""Examples with a server that requires TLS and a token."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
from tests.examples.conftest import SECRET
from tests.running import RunningServer
from tests.server.certificates import Pair

from asked_server import add_server_options, asked_server
from wordgate.cli.options.server import ServerConnection, server_options

EXAMPLES = Path(__file__).parents[2] / "examples"
READ = {"words": [{"text": "the", "confidence": 60}, {"text": "sun", "confidence": 60}]}


def test_an_example_asks_through_tls_with_a_token(
    guarded: RunningServer, folder: Path, ca: Pair
) -> None:
    """The example connects with the command options; without the token the error names it."""
    (folder / "token").write_text(f"{SECRET}\n")
    (folder / "read.jsonl").write_text(json.dumps(READ) + "\n")
    asked = [folder / "read.jsonl", "--server", guarded.address, "--tls-ca", ca.certificate]
    done = _run("correct_print.py", *asked, "--token-file", folder / "token")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    by_variable = _run("correct_print.py", *asked, variables={"WORDGATE_TOKEN": SECRET})
    assert by_variable.stdout == done.stdout
    without = _run("correct_print.py", *asked)
    assert (without.returncode, without.stdout) == (1, "")
    assert "token" in without.stderr
    assert "Traceback" not in without.stderr


def test_the_stubs_alone_ask_through_tls_with_a_token(guarded: RunningServer, ca: Pair) -> None:
    """The CA file is an argument, the token an environment variable."""
    variables = {"WORDGATE_TOKEN": SECRET}
    done = _run("ask.py", guarded.address, ca.certificate, variables=variables)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5


def test_examples_have_the_options_of_the_commands() -> None:
    """The examples have the same server options as the commands, and pass them to the client."""

    @click.command()
    @server_options
    def command(server: ServerConnection | None) -> None:
        """Has the options."""

    parser = argparse.ArgumentParser()
    add_server_options(parser)
    flags = {flag for option in command.params for flag in option.opts}
    theirs = {flag for action in parser._actions for flag in action.option_strings}
    assert flags == theirs - {"-h", "--help"}
    told = ["--server", "a:1", "--token-file", "b", "--tls", "--tls-ca", "c"]
    told += ["--tls-certificate", "d", "--tls-key", "e"]
    expected = ServerConnection("a:1", Path("b"), True, Path("c"), Path("d"), Path("e"))
    assert asked_server(parser.parse_args(told)) == expected


def _run(
    example: str, *arguments: object, variables: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WORDGATE_")}
    return subprocess.run(
        [sys.executable, str(EXAMPLES / example), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment | dict(variables or {}),
    )
