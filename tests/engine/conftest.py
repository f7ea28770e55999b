"""Models that several tests of the engine open."""

from pathlib import Path

import pytest
from tests.bundles import write_bundle

from wordgate.bundle import bundle as bundles
from wordgate.bundle.bundle import Bundle


@pytest.fixture(scope="session")
def float_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The float32 sister of the small bundle. Never written to."""
    return write_bundle(tmp_path_factory.mktemp("models"), precision="float32")


@pytest.fixture(scope="session")
def loaded(bundle: Path) -> Bundle:
    """The small int8 bundle, verified."""
    return bundles.load(bundle)
