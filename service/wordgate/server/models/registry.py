"""Registry of the served models, by name and version."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from wordgate.bundle.bundled_model import bundled_model_paths, latest_version
from wordgate.bundle.versions import find_versions
from wordgate.engine.loaded_model import ServedModel, open_model
from wordgate.engine.onnx_model import CallObserver, Runtime
from wordgate.errors import ModelNotFound


class Registry:
    """Finds the model that a request names.

    `NAME` selects the latest version of a model, `NAME@VERSION` a specific one. The empty name
    selects the default model: the first name in alphabetical order. Use it from the event loop
    only; any thread may iterate over it.
    """

    def __init__(self, models: Iterable[ServedModel]) -> None:
        """`models` must not be empty."""
        self._replaced: dict[str, ServedModel] = {}
        self._on_swap: list[Callable[[], None]] = []
        self._on_retire: list[Callable[[ServedModel], None]] = []
        self._take(models)

    def __iter__(self) -> Iterator[ServedModel]:
        """Iterate over the served models and the replaced ones that have not been retired."""
        return iter([*self.served, *self._replaced.values()])

    def get(self, name: str) -> ServedModel:
        """Return the model for NAME, NAME@VERSION or the empty name. Raises `ModelNotFound`."""
        if not name:
            return self.default
        model = self._by_version.get(name) or self._by_name.get(name) or self._replaced.get(name)
        model = model or self._replaced_name(name)
        if model is None:
            raise ModelNotFound(name, list(self._by_version))
        return model

    def _replaced_name(self, name: str) -> ServedModel | None:
        """Return the replaced version of a model that is no longer served under any version."""
        return next((m for m in self._replaced.values() if m.name.name == name), None)

    def swap(self, models: Iterable[ServedModel]) -> list[ServedModel]:
        """Serve these models instead, and return the replaced ones.

        Replaced models remain available as NAME@VERSION until they are retired.
        """
        before = self.served
        self._take(models)
        replaced = [model for model in before if model not in self.served]
        self._replaced.update((str(model.name), model) for model in replaced)
        for name in self._by_version:  # a version that is served again, or has new files
            self._replaced.pop(name, None)
        for notify in self._on_swap:
            notify()
        return replaced

    def retire(self, model: ServedModel) -> None:
        """Remove a replaced model, unless it is served again."""
        name = str(model.name)
        if self._replaced.get(name) is not model:
            return
        del self._replaced[name]
        for notify in self._on_retire:
            notify(model)

    def subscribe(
        self, on_swap: Callable[[], None], on_retire: Callable[[ServedModel], None]
    ) -> None:
        """Register callbacks for after each swap, and for after a model has been retired."""
        self._on_swap.append(on_swap)
        self._on_retire.append(on_retire)

    def _take(self, models: Iterable[ServedModel]) -> None:
        self.served = sorted(models, key=_order)
        self._by_name = {model.name.name: model for model in self.served}
        self._by_version = {str(model.name): model for model in self.served}
        self.default = self._by_name[self.served[0].name.name]


def open_models(
    folder: Path | None, runtime: Runtime, observer: CallObserver, state_cache_bytes: int
) -> Registry:
    """Load the bundles of a folder (`bundles_to_serve`); the cache is divided among them.

    Raises the errors of `open_model`, and `InvalidConfiguration` if there is no bundle.
    """
    paths = bundles_to_serve(folder)
    share = state_cache_bytes // len(paths)
    return Registry([open_model(path, runtime, observer, share) for path in paths])


def bundles_to_serve(folder: Path | None) -> list[Path]:
    """Return the newest bundle of each model at or below a folder, or the bundled models without.

    Raises `InvalidConfiguration` if there is no bundle.
    """
    if folder is None:
        return bundled_model_paths()
    newest = {path.absolute().parent: path for path in find_versions(folder)}
    return list(newest.values()) or [latest_version(folder)]


def _order(model: ServedModel) -> tuple[str, int]:
    return model.name.name, model.bundle.manifest.version
