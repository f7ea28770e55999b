"""Limit the number of HTTP connections, and the time that they may be idle or slow."""

import asyncio
import resource
from functools import partial
from typing import Any, Protocol

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from wordgate.protocol.limits import Limits

IDLE_SECONDS = 60.0
"""Maximum time from the start of a connection, or from its latest response, to the end of the next
request's headers."""

_LINGER_SECONDS = 2.0
"""Time in which the rest of a request is read and discarded after it was refused. A client that is
still sending could not read the response if the connection were closed at once."""

_UNREAD_SECONDS = 10.0
"""Time for a client to read a response, or the next part of it, as for a unary call over gRPC."""

_MAX_CONNECTIONS = 1000
_SHARE_OF_FILES = 4


def most_connections() -> int:
    """Return the limit of connections: 1000, or a quarter of the limit of open files."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(_MAX_CONNECTIONS, limit // _SHARE_OF_FILES) if limit > 0 else _MAX_CONNECTIONS


class _Connection(Protocol):
    def abort(self) -> None:
        """Close the connection at once."""


class Connections:
    """The open connections of a server. Above the limit, the longest idle one is closed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy: set[_Connection] = set()
        self._idle: dict[_Connection, None] = {}

    def admit(self, connection: _Connection) -> bool:
        """Add a new connection as idle, if there is room or another one is idle."""
        if len(self._busy) >= self._most:
            return False
        while len(self._busy) + len(self._idle) >= self._most:
            oldest = next(iter(self._idle))
            self.remove(oldest)
            oldest.abort()
        self._idle[connection] = None
        return True

    def busy(self, connection: _Connection) -> None:
        """Note that a request of the connection is in progress."""
        self._idle.pop(connection, None)
        self._busy.add(connection)

    def idle(self, connection: _Connection) -> None:
        """Note that the connection waits for its next request."""
        self._busy.discard(connection)
        self._idle[connection] = None

    def remove(self, connection: _Connection) -> None:
        """Remove a closed connection."""
        self._busy.discard(connection)
        self._idle.pop(connection, None)


class KeptConnection(H11Protocol):
    """A connection for one request after the other."""

    def __init__(self, others: Connections, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._others = others
        self._idle_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Register the connection, or close it if there are too many."""
        super().connection_made(transport)
        if self._others.admit(self):
            self._wait(IDLE_SECONDS)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Unregister the connection."""
        self._others.remove(self)
        for timer in (self._idle_timer, self._unread_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Handle received data, and stop the timeout once a request has begun."""
        super().handle_events()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._others.busy(self)
            if self._idle_timer is not None:
                self._idle_timer.cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuse malformed HTTP. If a response has begun, only close the connection."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of a request that was refused."""
        self._others.idle(self)
        is_read = self.conn.their_state is not h11.SEND_BODY
        self._wait(IDLE_SECONDS if is_read else _LINGER_SECONDS)
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Start the timeout for the client to read."""
        super().pause_writing()
        self._unread_timer = self.loop.call_later(_UNREAD_SECONDS, self.abort)

    def resume_writing(self) -> None:
        """Stop the timeout for the client to read."""
        super().resume_writing()
        if self._unread_timer is not None:
            self._unread_timer.cancel()

    def abort(self) -> None:
        """Close the connection at once and discard unsent data."""
        self.transport.abort()

    def _wait(self, seconds: float) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._idle_timer = self.loop.call_later(seconds, self.abort)


def connection_settings(limits: Limits, connections: Connections) -> dict[str, Any]:
    """Return uvicorn's settings for connections with these limits."""
    return {
        "http": partial(KeptConnection, connections),
        "backlog": _MAX_CONNECTIONS,
        "h11_max_incomplete_event_size": limits.max_header_bytes,
        "headers": [],
        "server_header": False,
        "timeout_keep_alive": 2 * IDLE_SECONDS,  # KeptConnection has its own timeout
    }
