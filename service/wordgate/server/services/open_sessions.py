"""The open typing sessions: their number, memory and lifetime."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from random import random

from wordgate.engine.loaded_model import ServedModel
from wordgate.errors import OverloadReason
from wordgate.protocol.status import DRAINING
from wordgate.server.security.byte_budget import ByteBudget, Reservation
from wordgate.server.security.concurrency_limit import ConcurrencyLimit
from wordgate.server.services.context import ServingContext
from wordgate.server.services.typing_session import Session

_SPREAD = 0.1
"""Relative jitter on session lifetimes, to avoid a reconnect stampede."""


class OpenSessions:
    """Counts open sessions, rejects those above the limit, and ends all when the server drains."""

    def __init__(self, serving: ServingContext) -> None:
        self._serving = serving
        self._open: set[Session] = set()
        self._limit = ConcurrencyLimit(
            serving.limits.max_sessions,
            "overloaded: {most} sessions are open; retry later",
            OverloadReason.SESSIONS,
        )
        self._memory = ByteBudget(serving.limits.max_sessions_bytes)
        self._watch: asyncio.Task[None] | None = None
        self._rereading: asyncio.Task[None] | None = None
        serving.models.subscribe(on_swap=self._reread, on_retire=self._end_pinned)

    @contextmanager
    def opened(self) -> Iterator[Session]:
        """Open a session inside the context. Raises `Overloaded`."""
        with self._limit:
            if self._watch is None:
                self._watch = asyncio.create_task(self._end_when_draining())
            memory = Reservation(self._memory)
            session = Session(self._serving.for_caller(), memory)
            self._open.add(session)
            self._serving.metrics.sessions.set(len(self._open))
            oldest = self._serving.limits.max_session_seconds
            too_old = f"session lifetime exceeded: at most {oldest} s; open a new session"
            ageing = asyncio.get_running_loop().call_later(
                oldest * (1 - _SPREAD * random()), session.end_soon, too_old
            )
            try:
                yield session
            finally:
                ageing.cancel()
                memory.resize(0)
                self._open.remove(session)
                self._serving.metrics.sessions.set(len(self._open))

    def _reread(self) -> None:
        """Warm up the new models with the sessions' texts, one session after another."""
        if self._rereading is not None:
            self._rereading.cancel()
        self._rereading = asyncio.create_task(self._reread_all(list(self._open)))

    async def _reread_all(self, sessions: list[Session]) -> None:
        for session in sessions:
            await session.warm_up()

    def _end_pinned(self, model: ServedModel) -> None:
        """End the sessions that requested a retired version."""
        for session in list(self._open):
            session.close_if_pinned_to(str(model.name))

    async def _end_when_draining(self) -> None:
        await self._serving.draining.wait()
        for session in list(self._open):
            session.end_soon(DRAINING)
