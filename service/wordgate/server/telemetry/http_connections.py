"""HTTP connections that cannot be held open: each answers one request within seconds.

Knows uvicorn's connections; does not know what they answer. A slow or silent client is
disconnected, so that probes and scrapers are answered whatever other clients do.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

CONNECTION_SECONDS = 10.0
"""From the connection to the last byte of its answer; then it is closed."""

MOST_CONNECTIONS = 64
"""Connections of a process at once; beyond them the oldest is closed, not the newest refused."""


class OpenConnections:
    """The open connections of a server, the oldest first."""

    def __init__(self) -> None:
        self._open: dict[BriefConnection, None] = {}

    def add(self, connection: "BriefConnection") -> None:
        """Close the oldest if there are too many, first of those without a complete request."""
        if len(self._open) >= MOST_CONNECTIONS:
            waiting = (other for other in self._open if not other.is_answered)
            next(waiting, next(iter(self._open))).abort()
        self._open[connection] = None

    def remove(self, connection: "BriefConnection") -> None:
        """Forget a connection that is closed."""
        self._open.pop(connection, None)


class BriefConnection(H11Protocol):
    """A connection that is closed after `CONNECTION_SECONDS`, whatever its state."""

    def __init__(self, others: OpenConnections, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._others = others
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_answered(self) -> bool:
        """Whether its request is complete."""
        answer: RequestResponseCycle | None = self.cycle
        return answer is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(CONNECTION_SECONDS, self.abort)
        self._others.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._others.remove(self)
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close the connection at once, with what was not sent yet."""
        self._others.remove(self)
        self.transport.abort()
