"""Fixtures for tests of services without a server."""

from collections.abc import AsyncIterator

import pytest
from tests.server.session_stream import SessionStream

from wordgate.engine.executor import EngineExecutor
from wordgate.engine.local_model import LocalModel
from wordgate.engine.scheduler import Scheduler
from wordgate.protocol.limits import Limits
from wordgate.server.models.registry import Registry
from wordgate.server.services.context import ServingContext
from wordgate.server.telemetry.metrics import Metrics


@pytest.fixture
async def serving(local: LocalModel) -> AsyncIterator[ServingContext]:
    """The parts of a server that a session needs."""
    engine = EngineExecutor(Scheduler())
    yield ServingContext(Registry([local.served]), engine, Limits(), Metrics(), "cpu")
    engine.close()


@pytest.fixture
async def stream() -> SessionStream:
    """A stream without messages."""
    return SessionStream()
