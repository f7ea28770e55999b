"""Options and opening that all commands share which ask a model, here or on a server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from wordgate.cli.options.server import ServerConnection, server_options
from wordgate.engine.results import GenerativeModel, ModelVersion

F = TypeVar("F", bound=Callable[..., Any])


def model_options(command: F) -> F:
    """`--model PATH` or `--server HOST:PORT` with its companions."""
    model = click.option(
        "--model",
        type=click.Path(path_type=Path),
        help="A bundle's folder, or one of versions: the newest.  [the shipped model]",
    )
    return model(server_options(command))


def json_option(command: F) -> F:
    """`--json`: one JSON document for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


@contextmanager
def connected_model(
    model: Path | None, server: ServerConnection | None, *, batch: bool = False
) -> Iterator[GenerativeModel]:
    """The model that the options name, open for questions; for many at once in a `batch`."""
    if model is not None and server is not None:
        raise click.UsageError("--model, --server: name one of the two")
    asked = server.connect(batch=batch) if server else _open(model)
    try:
        yield asked
    finally:
        asked.close()


def model_document(model: ModelVersion) -> dict[str, str]:
    """Which model answered, as JSON documents of all commands have it."""
    return {"name": model.name, "version": model.version, "precision": model.precision}


def _open(model: Path | None) -> GenerativeModel:
    from wordgate.bundle.bundled_model import resolve_bundle
    from wordgate.engine.executor import DEFAULT_ENGINE_THREADS
    from wordgate.engine.local_model import LocalModel

    return LocalModel.open(resolve_bundle(model), calls=DEFAULT_ENGINE_THREADS)
