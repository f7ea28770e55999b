"""Options that select a model, in this process or on a server, and open it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from wordgate.cli.options.server import PriorityName, ServerConnection, server_options
from wordgate.engine.results import GenerativeModel
from wordgate.errors import InvalidConfiguration
from wordgate.lm.model_version import ModelVersion

F = TypeVar("F", bound=Callable[..., Any])


class _Bundle(click.ParamType[Path]):
    """A bundle by its folder or name, which is looked up during option parsing."""

    name = "NAME|PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the bundle's folder. Fails if there is none."""
        from wordgate.bundle.bundled_model import find_bundle

        try:
            return find_bundle(str(value))
        except InvalidConfiguration as error:
            self.fail(error.problem, param, ctx)


BUNDLE = _Bundle()


def model_options(command: F) -> F:
    """Add `--model PATH`, and `--server HOST:PORT` with its related options."""
    model = click.option(
        "--model",
        type=click.Path(path_type=Path),
        help="Name of a bundled model, or folder of a bundle or of versions.  [en]",
    )
    return model(server_options(command))


def json_option(command: F) -> F:
    """Add `--json`: print JSON instead of a table."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


@contextmanager
def connected_model(
    model: Path | None, server: ServerConnection | None, *, priority: PriorityName = "realtime"
) -> Iterator[GenerativeModel]:
    """Open the model that the options name. Requests to a server have `priority`."""
    if model is not None and server is not None:
        raise click.UsageError("--model, --server: mutually exclusive; use one of them")
    opened = server.connect(priority=priority) if server else _open(model)
    try:
        yield opened
    finally:
        opened.close()


def language_of(model: GenerativeModel) -> str:
    """Return the language of an opened model, a BCP 47 tag."""
    from wordgate.client import Client
    from wordgate.engine.local_model import LocalModel

    if isinstance(model, LocalModel):
        return model.served.bundle.manifest.language
    if isinstance(model, Client):
        return model.get_model().language
    raise TypeError(f"{type(model).__name__} has no language")


def model_document(model: ModelVersion) -> dict[str, str]:
    """Return the `model` object of JSON output."""
    return {"name": model.name, "version": model.version, "precision": model.precision}


def _open(model: Path | None) -> GenerativeModel:
    from wordgate.bundle.bundled_model import resolve_bundle
    from wordgate.engine.executor import DEFAULT_ENGINE_THREADS
    from wordgate.engine.local_model import LocalModel

    return LocalModel.open(resolve_bundle(model), engine_threads=DEFAULT_ENGINE_THREADS)
