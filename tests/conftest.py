"""Shared fixtures: a small bundle and a server for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import structlog
from hypothesis import settings
from tests.bundles import write_bundle
from tests.running import RunningServer, serving

from wordgate.bundle import bundle as bundles
from wordgate.bundle.bundle import Bundle
from wordgate.engine.local_model import LocalModel

# No deadline: timings are meaningless on a busy machine.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SLOW_FOLDERS = {"cli", "deploy", "examples", "server", "training"}
"""Tests that start servers and commands, or train."""


def pytest_configure() -> None:
    """Make OpenMP threads sleep while they wait; must run before torch is imported.

    Spinning threads of two processes on two cores make training tests ten times slower.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slowest files, and each file with its long tests.

    Test processes take whole files from the front of the queue, so they end at about the same time.
    """
    slowest = {item.path for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: _place(item, item.path in slowest))


def _place(item: pytest.Item, in_slow_file: bool) -> tuple[bool, bool, str, bool]:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    is_long = item.get_closest_marker("long") is not None
    return not in_slow_file, folder not in SLOW_FOLDERS, str(item.path), not is_long


@pytest.fixture(autouse=True)
def unconfigured_logs() -> Iterator[None]:
    """Forget a log that a test configured: its stream is closed when the test ends."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def unmeasured_processes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Measure no coverage in the processes of long tests: it doubles their time.

    Other tests run the same code.
    """
    with pytest.MonkeyPatch.context() as environment:
        if request.node.get_closest_marker("long"):
            environment.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small int8 bundle, `tiny@1`. Read-only: tests that modify a bundle write their own."""
    return write_bundle(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def float_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The float32 sister of the small bundle. Never written to."""
    return write_bundle(tmp_path_factory.mktemp("models"), precision="float32")


@pytest.fixture(scope="session")
def loaded(bundle: Path) -> Bundle:
    """The small int8 bundle, verified."""
    return bundles.load(bundle)


@pytest.fixture(scope="session")
def local(bundle: Path) -> Iterator[LocalModel]:
    """The same model, loaded in this process."""
    model = LocalModel.open(bundle)
    yield model
    model.close()


@pytest.fixture(scope="session")
def server(bundle: Path) -> Iterator[RunningServer]:
    """A server of `tiny@1` in a separate process. Shared: tests must restore its state."""
    with serving(bundle) as running:
        yield running


@pytest.fixture(scope="session")
def channel(server: RunningServer) -> Iterator[grpc.Channel]:
    """A gRPC channel to the server."""
    with grpc.insecure_channel(server.address) as connected:
        yield connected
