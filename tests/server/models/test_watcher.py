"""Polling a model folder, with bundles that cannot be opened."""

import asyncio
import gc
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.bundles import write_bundle

from wordgate.decoding.prediction import Query
from wordgate.engine.loaded_model import ServedModel, open_model
from wordgate.engine.local_model import LocalModel
from wordgate.errors import InvalidConfiguration
from wordgate.server.models import watcher
from wordgate.server.models.registry import Registry
from wordgate.server.models.watcher import ModelWatcher
from wordgate.server.telemetry.metrics import Metrics

_FAILURES = "wordgate_model_load_failures_total"


class PanicException(BaseException):
    """Stand-in for the exception that the tokenizers library raises."""


class Opener:
    """Opens bundles, or raises a given error."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.opened = 0

    def __call__(self, folder: Path) -> ServedModel:
        self.opened += 1
        if self.error is not None:
            raise self.error
        return open_model(folder)


class Watched:
    """A registry of one version with its watcher, and the next version in the folder."""

    def __init__(self, models: Path) -> None:
        first = write_bundle(models, layers=1, width=16)
        self.metrics = Metrics()
        self.opener = Opener()
        self.registry = Registry([open_model(first)])
        self.watch = ModelWatcher(models, self.registry, self.opener, self.metrics, 0.0)
        self.next = write_bundle(models, version=2, layers=1, width=16)

    def failures(self, reason: str) -> float:
        """Return the number of bundles rejected for this reason."""
        return self.metrics.registry.get_sample_value(_FAILURES, {"reason": reason}) or 0.0

    @property
    def version(self) -> str:
        """The served version."""
        return self.registry.default.name.version


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """A watcher that is not running: tests call `look`."""
    return Watched(tmp_path)


def _run(looks: Callable[[], Any]) -> None:
    asyncio.run(looks())


@pytest.mark.parametrize("error", [PanicException("boom"), MemoryError(), RecursionError()])
def test_any_error_of_a_bundle_is_logged_once(watched: Watched, error: BaseException) -> None:
    """The bundle is rejected with the error's type, and retried on a signal."""
    watched.opener.error = error

    async def look() -> None:
        for _ in range(4):
            await watched.watch.look()
        assert (watched.opener.opened, watched.failures("content")) == (1, 1)
        await watched.watch.look(at_once=True)
        assert (watched.opener.opened, watched.failures("content")) == (2, 2)
        watched.opener.error = None
        await watched.watch.look(at_once=True)
        assert watched.version == "2"

    _run(look)


def test_a_bundle_without_read_permission_is_retried(watched: Watched) -> None:
    """It is retried at each poll without a signal, and logged once."""
    watched.opener.error = PermissionError(13, "Permission denied")

    async def look() -> None:
        for _ in range(4):
            await watched.watch.look()
        assert watched.failures("unreadable") == 1
        watched.opener.error = None
        await watched.watch.look()
        assert watched.version == "2"

    _run(look)


def test_a_folder_without_list_permission_is_logged_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted as unreadable, and served as soon as it can be listed."""
    listing = watcher.listing

    def denied(folder: Path) -> watcher.Listing:
        if folder == watched.next:
            raise PermissionError(13, "Permission denied")
        return listing(folder)

    async def looks() -> None:
        monkeypatch.setattr(watcher, "listing", denied)
        for _ in range(3):
            await watched.watch.look()
        assert watched.failures("unreadable") == 1
        assert watched.version == "1"
        monkeypatch.setattr(watcher, "listing", listing)
        for _ in range(2):
            await watched.watch.look()
        assert watched.version == "2"

    _run(looks)


def test_another_mode_is_another_listing(watched: Watched) -> None:
    """A rejected bundle is retried after its permissions have changed."""
    watched.opener.error = ValueError("no")

    async def look() -> None:
        for _ in range(3):
            await watched.watch.look()
        watched.opener.error = None
        (watched.next / "step.onnx").chmod(0o640)
        for _ in range(2):
            await watched.watch.look()
        assert watched.version == "2"

    _run(look)


def test_a_retired_version_is_freed_at_once(watched: Watched) -> None:
    """Reference counting alone frees the model, its graphs and its vocabulary.

    No cycle or global keeps them.
    """
    old = watched.registry.default
    asked = LocalModel(old)
    asked.submit_predict(Query("the clouds are", "t")).result()
    asked.submit_score("the", ["clouds are in"]).result()
    asked.close()
    del asked
    gc.disable()
    kept = [
        weakref.ref(each) for each in (old, old.network, old.cache, old.bundle.language.tokenizer)
    ]
    del old

    async def look() -> None:
        await watched.watch.look(at_once=True)
        assert watched.version == "2"
        await asyncio.gather(*watched.watch._retiring)
        assert [each() for each in kept] == [None] * len(kept)

    try:
        _run(look)
    finally:
        gc.enable()


def test_a_model_whose_folder_is_removed_stays_served(watched: Watched) -> None:
    """If the folder has nothing to serve, the poll fails and the loaded models stay served."""
    for version in (watched.next, watched.next.parent / "1"):
        shutil.rmtree(version)
    with pytest.raises(InvalidConfiguration, match="contains no model"):
        _run(lambda: watched.watch.look(at_once=True))
    assert watched.version == "1"
