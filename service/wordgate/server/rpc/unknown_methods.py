"""Work around a grpcio crash on method names that are not UTF-8.

In grpcio 1.85.1 and 1.85.3, the loop that accepts all calls decodes the path of an unregistered
method as UTF-8. The first path that is not UTF-8 terminates the loop, and with it the server. Here
calls of unregistered methods are answered before they reach that loop. All methods of the server
are registered, so all remaining calls are unknown methods.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]
from grpc.aio import Server, ServerInterceptor, server

NOT_FOUND = "Method not found!"
"""Message of grpcio, on which clients may rely."""

_HOOKS = ("_make_request_call_future", "_request_call")


def new_server(
    interceptors: Sequence[ServerInterceptor], options: Sequence[tuple[str, Any]]
) -> Server:
    """Return a `grpc.aio.server`, with the workaround unless grpcio's internals have changed."""
    plain = cygrpc.AioServer
    if not all(hasattr(plain, hook) for hook in _HOOKS):
        return server(interceptors=interceptors, options=options)
    cygrpc.AioServer = _guarded(plain)
    try:
        return server(interceptors=interceptors, options=options)
    finally:
        cygrpc.AioServer = plain


def _guarded(plain: Any) -> Any:
    class GuardedServer(plain):  # type: ignore[misc]
        """A server that answers calls of unregistered methods itself."""

        def _make_request_call_future(self, method: bytes | None) -> "asyncio.Future[Any]":
            """Return a future of the next call; for unregistered methods it never completes."""
            if method is not None:
                future: asyncio.Future[Any] = super()._make_request_call_future(method)
                return future
            return asyncio.get_running_loop().create_task(self._refuse_all())

        async def _refuse_all(self) -> None:
            refusals: set[asyncio.Task[None]] = set()
            while True:  # until grpc raises an error because the server stops
                call = await self._request_call()
                refusal = asyncio.create_task(_refuse(call))
                refusals.add(refusal)
                refusal.add_done_callback(refusals.discard)

    return GuardedServer


async def _refuse(call: Any) -> None:
    context = cygrpc._ServicerContext(call, None, None, asyncio.get_running_loop())
    try:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, NOT_FOUND)
    except grpc.aio.AbortError:
        return  # raised by every abort
    except cygrpc.ExecuteBatchError:
        return  # the client has disconnected
