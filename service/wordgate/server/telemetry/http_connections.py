"""Limit the lifetime and the number of HTTP connections.

Each connection serves one request within seconds. Slow and silent clients are disconnected, so that
they cannot block probes and scrapers.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

CONNECTION_SECONDS = 10.0
"""Maximum lifetime of a connection, from its acceptance to the last byte of the response."""

MAX_CONNECTIONS = 64
"""Maximum number of connections per process. Above it, the oldest connection is closed."""


class OpenConnections:
    """Open connections of a server, oldest first."""

    def __init__(self) -> None:
        self._open: dict[BriefConnection, None] = {}

    def add(self, connection: "BriefConnection") -> None:
        """Add a connection; above the limit, close the oldest one.

        Connections without a complete request are closed first.
        """
        if len(self._open) >= MAX_CONNECTIONS:
            waiting = (other for other in self._open if not other.is_answered)
            next(waiting, next(iter(self._open))).abort()
        self._open[connection] = None

    def remove(self, connection: "BriefConnection") -> None:
        """Remove a closed connection."""
        self._open.pop(connection, None)


class BriefConnection(H11Protocol):
    """A connection that is closed after `CONNECTION_SECONDS`, whatever its state."""

    def __init__(self, others: OpenConnections, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._others = others
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the request is complete."""
        answer: RequestResponseCycle | None = self.cycle
        return answer is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Register the connection and start its timeout."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(CONNECTION_SECONDS, self.abort)
        self._others.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Unregister the connection and cancel its timeout."""
        self._others.remove(self)
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close the connection at once and discard unsent data."""
        self._others.remove(self)
        self.transport.abort()
