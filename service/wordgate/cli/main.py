"""The `wordgate` command: dispatch subcommands, report errors as one line and an exit code.

Subcommands are imported on use, so `wordgate predict` does not load the server's libraries, and a
subcommand whose extra is not installed does not break the others.
"""

import sys

from wordgate.server.signals import accept_blocked, handle_while_starting
from wordgate.server.standard_streams import open_closed_streams

open_closed_streams()
if sys.argv[1:2] == ["serve"]:
    handle_while_starting()  # before the slow imports
else:
    accept_blocked()

# isort: split

import gc
import importlib
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from wordgate.cli.command import Group, help_hint, problem_of
from wordgate.errors import (
    ExportError,
    InvalidBundle,
    InvalidConfiguration,
    InvalidFile,
    InvalidInput,
    InvalidRecipe,
    ModelNotFound,
    Overloaded,
    TrainingError,
    Unauthenticated,
    Unavailable,
    WordgateError,
)

COMMANDS = (
    "serve",
    "probe",
    "predict",
    "generate",
    "type",
    "score",
    "rescore",
    "explain",
    "tune",
    "evaluate",
    "models",
    "token",
    "train",
    "export",
    "bench",
)

EXIT_CODES: dict[type[WordgateError], int] = {
    InvalidInput: 2,
    InvalidConfiguration: 2,
    InvalidRecipe: 2,
    InvalidFile: 3,
    InvalidBundle: 4,
    ModelNotFound: 4,
    ExportError: 5,
    TrainingError: 5,
    Overloaded: 6,
    Unavailable: 6,
    Unauthenticated: 7,
}
"""Exit codes by error; any other `WordgateError` is 1, a usage error 2."""

_SYSTEM_ERROR = 3
"""Exit code for operating-system errors such as a read-only folder or a full disk."""

_INTERRUPTED = 130

_COLLECT_EVERY = 50_000
"""Garbage collection threshold. Python's default of 700 costs 6 % of scoring time."""


class _ReaderGoneError(Exception):
    """The reader of standard output has exited, as in `wordgate score … | head -1`."""


@contextmanager
def _broken_pipe_noticed() -> Iterator[None]:
    """Raise `_ReaderGoneError` for a broken pipe; click and rich would exit with 1.

    click does so since https://github.com/pallets/click/pull/1106.
    """
    try:
        yield
    except BrokenPipeError:
        raise _ReaderGoneError from None
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            raise _ReaderGoneError from None
        raise


class _Commands(Group):
    """Subcommands, imported from the module of the same name in `wordgate.cli.commands`."""

    def make_context(self, *arguments: Any, **named: Any) -> click.Context:
        with _broken_pipe_noticed():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: click.Context) -> Any:
        with _broken_pipe_noticed():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"wordgate.cli.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    _version("wordgate"),
    "--version",
    "-V",
    message=f"wordgate %(version)s (Python {platform.python_version()}, "
    f"onnxruntime {_version('onnxruntime')})",
    help="Print the version and exit.",
)
def wordgate() -> None:
    """LSTM language model service: next-word prediction, scoring and rescoring."""


def exit_code(error: WordgateError) -> int:
    """Return the exit code for an error."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; report errors as one line on standard error, without a stack trace."""
    gc.set_threshold(_COLLECT_EVERY)
    # Suppress grpc's own log lines: we report the same errors.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        wordgate.main(args=arguments, prog_name="wordgate", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        _complain(error.format_message())
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _complain(f"wordgate: {problem_of(error)}")
        _complain(help_hint(error))
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted")
        sys.exit(_INTERRUPTED)
    except _ReaderGoneError:
        _discard_output()
        sys.exit(0)
    except WordgateError as error:
        _complain(f"wordgate: {error}")
        sys.exit(exit_code(error))
    except OSError as error:
        _complain(f"wordgate: {_system_problem(error)}")
        _discard_output()
        sys.exit(_SYSTEM_ERROR)


def _complain(line: str | None) -> None:
    """Print a line on standard error; ignore a closed pipe."""
    if line is not None:
        with suppress(BrokenPipeError):
            click.echo(line, err=True)


def _discard_output() -> None:
    """Discard buffered output; otherwise Python would retry and report an error at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _system_problem(error: OSError) -> str:
    problem = error.strerror or str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        problem = "does not exist"
    return problem if error.filename is None else f"{error.filename}: {problem}"


if __name__ == "__main__":
    main()
