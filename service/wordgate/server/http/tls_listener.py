"""Accept TLS connections, each with the latest certificate.

asyncio's own servers keep one TLS configuration for ever, and a connection is not known to the
application before its handshake, so it could not be counted.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable

from wordgate.server.http.connections import Connections

_HANDSHAKE_SECONDS = 20.0
_PAUSE_SECONDS = 0.1
"""Pause after a failed accept, for example because all file descriptors are in use."""


class TlsListener:
    """Accepts connections until it is closed."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        context: Callable[[], ssl.SSLContext],
        connections: Connections,
    ) -> None:
        """`connections` counts handshakes as idle connections. `context` is called for each."""
        self._listener = listener
        self._protocol = protocol
        self._context = context
        self._connections = connections
        self._handshakes: set[_Handshake] = set()
        self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        """Stop accepting, and end the handshakes in progress."""
        self._accepting.cancel()
        for handshake in self._handshakes:
            handshake.abort()

    async def wait_closed(self) -> None:
        """Return when nothing is accepted any more."""
        await asyncio.wait({self._accepting})

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        self._listener.setblocking(False)
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._listener)
            except OSError:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            handshake = _Handshake()
            if not self._connections.admit(handshake):
                accepted.close()
                continue
            handshake.task = asyncio.create_task(self._secure(accepted, handshake))
            self._handshakes.add(handshake)

    async def _secure(self, accepted: socket.socket, handshake: "_Handshake") -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol,
                accepted,
                ssl=self._context(),
                ssl_handshake_timeout=_HANDSHAKE_SECONDS,
            )
        except OSError:  # a failed handshake: ssl.SSLError and TimeoutError, too
            accepted.close()
        finally:
            self._connections.remove(handshake)
            self._handshakes.discard(handshake)


class _Handshake:
    """A connection during its TLS handshake."""

    task: "asyncio.Task[None] | None" = None

    def abort(self) -> None:
        """End the handshake and close the connection."""
        if self.task is not None:
            self.task.cancel()
