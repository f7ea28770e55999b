"""The models that are served, by name and version.

Knows folders and names; does not know gRPC or who asks.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from wordgate.bundle.bundle import find_versions
from wordgate.bundle.bundled_model import bundled_model_path, latest_version
from wordgate.engine.loaded_model import ServedModel, open_model
from wordgate.engine.onnx_model import CallObserver, Runtime
from wordgate.errors import ModelNotFound


class Registry:
    """Finds the model that a request names.

    `NAME` is the latest version of a name, `NAME@VERSION` that one. The empty name is the default
    model: the first name in alphabetical order. Belongs to the event loop; may be iterated by any
    thread.
    """

    def __init__(self, models: Iterable[ServedModel]) -> None:
        """`models` has at least one."""
        self._replaced: dict[str, ServedModel] = {}
        self._on_swap: list[Callable[[], None]] = []
        self._on_retire: list[Callable[[ServedModel], None]] = []
        self._take(models)

    def __iter__(self) -> Iterator[ServedModel]:
        """All that answer: those served, and those replaced that have not retired."""
        return iter([*self.served, *self._replaced.values()])

    def get(self, name: str) -> ServedModel:
        """The model of a name, of a name and version, or the default. Raises `ModelNotFound`."""
        if not name:
            return self.default
        found = self._by_version.get(name) or self._by_name.get(name) or self._replaced.get(name)
        found = found or self._replaced_name(name)
        if found is None:
            raise ModelNotFound(name, list(self._by_version))
        return found

    def _replaced_name(self, name: str) -> ServedModel | None:
        """What was served of a name that has gone altogether, until it retires."""
        return next((m for m in self._replaced.values() if m.name.name == name), None)

    def swap(self, models: Iterable[ServedModel]) -> list[ServedModel]:
        """Serve these from now on. Those that they replace, which are returned, answer to their
        name and version until they retire."""
        before = self.served
        self._take(models)
        replaced = [model for model in before if model not in self.served]
        self._replaced.update((str(model.name), model) for model in replaced)
        for name in self._by_version:  # one that has come back, or whose version has new files
            self._replaced.pop(name, None)
        for tell in self._on_swap:
            tell()
        return replaced

    def retire(self, model: ServedModel) -> None:
        """Let go of a model that was replaced, unless it has come back."""
        name = str(model.name)
        if self._replaced.get(name) is not model:
            return
        del self._replaced[name]
        for tell in self._on_retire:
            tell(model)

    def tell(self, swapped: Callable[[], None], retired: Callable[[ServedModel], None]) -> None:
        """Call these after each swap, and after a model has retired."""
        self._on_swap.append(swapped)
        self._on_retire.append(retired)

    def _take(self, models: Iterable[ServedModel]) -> None:
        self.served = sorted(models, key=_order)
        self._by_name = {model.name.name: model for model in self.served}
        self._by_version = {str(model.name): model for model in self.served}
        self.default = self._by_name[self.served[0].name.name]


def open_models(
    path: Path | None, runtime: Runtime, observer: CallObserver, state_cache_bytes: int
) -> Registry:
    """Load the bundles that `path` names (`bundles_to_serve`); the cache is divided among them.

    Raises as `open_model`, and `InvalidConfiguration` where there is no bundle.
    """
    folders = bundles_to_serve(path)
    share = state_cache_bytes // len(folders)
    return Registry([open_model(folder, runtime, observer, share) for folder in folders])


def bundles_to_serve(path: Path | None) -> list[Path]:
    """The newest version of each name at or below `path`; without it the shipped bundle."""
    if path is None:
        return [bundled_model_path()]
    latest_version(path)
    newest = {folder.absolute().parent: folder for folder in find_versions(path)}
    return list(newest.values())


def _order(model: ServedModel) -> tuple[str, int]:
    return model.name.name, model.bundle.manifest.version
