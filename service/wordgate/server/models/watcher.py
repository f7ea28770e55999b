"""Hot reloading: poll the model folder and serve new versions in place of old ones.

The folder is polled instead of watched, because file-system notifications do not work on network
mounts and on volumes that an orchestrator replaces. A bundle that is still being copied is ignored
until two polls find it unchanged.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Set
from itertools import islice
from pathlib import Path
from typing import Any

from wordgate.engine import malloc_trim
from wordgate.engine.loaded_model import ServedModel
from wordgate.errors import InvalidBundle, WordgateError
from wordgate.server.models.registry import Registry, bundles_to_serve
from wordgate.server.settled_poller import ENDS, SettledPoller, problem_of
from wordgate.server.telemetry.metrics import Metrics

Listing = tuple[tuple[str | int, ...], ...]
"""Files of a folder with their sizes in bytes, modification times, modes and owners."""

_MAX_LISTED = 10_000
_UNREADABLE = "unreadable"


class ModelWatcher(SettledPoller[Path, Listing]):
    """Updates a registry from a folder. If a bundle is invalid, the old version stays served."""

    failure = "model poll failed; keeping the loaded models"

    def __init__(
        self,
        path: Path,
        registry: Registry,
        open_bundle: Callable[[Path], ServedModel],
        metrics: Metrics,
        version_retire_seconds: float,
    ) -> None:
        """`version_retire_seconds`: time for which a replaced NAME@VERSION stays available."""
        super().__init__()
        self._path = path
        self._registry = registry
        self._open = open_bundle
        self._metrics = metrics
        self._grace = version_retire_seconds
        self._loaded = {model.bundle.path: listing(model.bundle.path) for model in registry}
        self._refused: dict[Path, Listing] = {}
        self._unreadable: dict[Path, str] = {}
        self._unlisted: dict[Path, InvalidBundle] = {}
        self._left_out: dict[Path, Listing] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float) -> None:
        """Poll at this interval until cancelled. 0: only on `poll_now`."""
        try:
            await super().run(seconds)
        finally:
            for task in self._retiring:
                task.cancel()

    async def look(self, at_once: bool = False) -> None:
        """Poll once: load new bundles; `at_once`, also those that were rejected before."""
        if at_once:
            self._refused.clear()
            self._unreadable.clear()
        await super().look(at_once)

    async def _apply(self, found: Mapping[Path, Listing], settled: Set[Path]) -> None:
        """Load the new bundles in the folder and serve them."""
        served = {model.name.name: model for model in self._registry.served}
        wanted: dict[str, ServedModel] = {}
        for folder, files in found.items():
            if folder in self._unlisted:
                self._refuse(folder, files, self._unlisted[folder])
            model = await self._model_of(folder, files, folder in settled)
            model = model or _of_folder(served.values(), folder)
            if model is not None:
                self._want(model, wanted)
        if wanted and set(map(id, wanted.values())) != set(map(id, served.values())):
            self._swap(list(wanted.values()))

    def _want(self, model: ServedModel, wanted: dict[str, ServedModel]) -> None:
        """Add a model; of two folders with the same model name use the newer version only."""
        name = model.name.name
        other = wanted.get(name)
        if other is None:
            wanted[name] = model
            return
        older, newer = sorted((other, model), key=lambda each: each.bundle.manifest.version)
        wanted[name] = newer
        path = older.bundle.path
        self._left_out[path] = self._loaded.pop(path, ())
        self._log.warning(
            "duplicate model name; serving the newer version", left_out=str(path), name=name
        )

    def _find(self) -> dict[Path, Listing]:
        """Return the folders to serve with their listings, empty if one cannot be listed."""
        listings: dict[Path, Listing] = {}
        self._unlisted.clear()
        for folder in bundles_to_serve(self._path):
            try:
                listings[folder] = listing(folder)
            except OSError as error:
                listings[folder] = ()
                if not isinstance(error, FileNotFoundError):
                    problem = f"cannot read the folder: {error.strerror}"
                    self._unlisted[folder] = InvalidBundle(folder, _UNREADABLE, problem)
        return listings

    async def _model_of(self, folder: Path, files: Listing, is_settled: bool) -> ServedModel | None:
        """Return the model of a folder: the loaded one, or a newly opened one.

        Return None if the bundle is rejected or not complete yet.
        """
        if self._loaded.get(folder) == files:
            for model in self._registry:
                if model.bundle.path == folder:
                    return model
        is_known = files in (self._refused.get(folder), self._left_out.get(folder))
        if not files or not is_settled or is_known:
            return None
        try:
            model = await asyncio.to_thread(self._open, folder)
        except ENDS:
            raise
        except BaseException as error:  # noqa: BLE001  one bundle must not stop the polling
            self._refuse(folder, files, error)
            return None
        self._loaded[folder] = files
        self._unreadable.pop(folder, None)
        return model

    def _refuse(self, folder: Path, files: Listing, error: BaseException) -> None:
        """Log and count a rejected bundle, once per problem.

        An unreadable bundle is retried at each poll, because the cause may not show in a listing.
        """
        reason, problem = _UNREADABLE, problem_of(error)
        if isinstance(error, InvalidBundle):
            reason = error.reason
        elif not isinstance(error, OSError | WordgateError):
            reason, problem = "content", f"{folder}: {problem}"
        if reason != _UNREADABLE or not isinstance(error, InvalidBundle | OSError):
            self._refused[folder] = files
        elif self._unreadable.get(folder) == problem:
            return
        else:
            self._unreadable[folder] = problem
        self._metrics.load_failed(reason)
        self._log.error("bundle rejected; still serving the previous version", problem=problem)

    def _swap(self, models: list[ServedModel]) -> None:
        before = ", ".join(str(model.name) for model in self._registry.served)
        replaced = self._registry.swap(models)
        self._metrics.swapped(self._registry.served)
        self._log.info(
            "models reloaded", before=before, now=", ".join(str(model.name) for model in models)
        )
        for model in replaced:
            task = asyncio.create_task(self._retire(model))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _retire(self, model: ServedModel) -> None:
        """Remove a replaced version after `version_retire_seconds`."""
        await asyncio.sleep(self._grace)
        if model in list(self._registry.served):
            return  # it is served again
        self._registry.retire(model)
        self._metrics.retired(model, self._registry)
        self._loaded = {
            folder: files
            for folder, files in self._loaded.items()
            if any(each.bundle.path == folder for each in self._registry)
        }
        self._log.info("version retired", model=str(model.name))
        del model
        await asyncio.to_thread(malloc_trim.give_back)


def listing(folder: Path) -> Listing:
    """Return a listing of a folder with at most 10,000 entries."""
    status = folder.stat()
    own = (status.st_mode, status.st_uid, status.st_gid)
    return (own, *sorted(islice(_entries(folder, ""), _MAX_LISTED)))


def _entries(folder: Path, before: str) -> Iterator[tuple[str | int, ...]]:
    """Yield the entries of a folder and of its direct sub-folders; bundles are never deeper."""
    with os.scandir(folder) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            own = (status.st_mode, status.st_uid, status.st_gid)
            yield before + entry.name, status.st_size, status.st_mtime_ns, *own
            if not before and entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path), f"{entry.name}/")


def _of_folder(models: Any, folder: Path) -> ServedModel | None:
    """Return the served model whose versions are siblings of this folder."""
    return next((model for model in models if model.bundle.path.parent == folder.parent), None)
