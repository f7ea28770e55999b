"""A grpc server that no name of a method can end.

Knows a defect of grpcio (1.85.1 and 1.85.3 have it): the loop that takes all calls decodes the path
of one that it has no method for as UTF-8, and ends with the first that is not, for everybody. Here
such calls are answered before they come to that loop. All methods of ours are registered, so what
is left has none.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]
from grpc.aio import Server, ServerInterceptor, server

NOT_FOUND = "Method not found!"
"""In the words of grpcio, on which clients may rely."""

_HOOKS = ("_make_request_call_future", "_request_call")


def new_server(
    interceptors: Sequence[ServerInterceptor], options: Sequence[tuple[str, Any]]
) -> Server:
    """A `grpc.aio.server`; where grpcio has changed inside it is the plain one."""
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
        """Keeps calls without a method to itself."""

        def _make_request_call_future(self, method: bytes | None) -> "asyncio.Future[Any]":
            """The next call of a method; of those without one it never comes to an end."""
            if method is not None:
                future: asyncio.Future[Any] = super()._make_request_call_future(method)
                return future
            return asyncio.get_running_loop().create_task(self._refuse_all())

        async def _refuse_all(self) -> None:
            refusals: set[asyncio.Task[None]] = set()
            while True:  # until grpc says that the server stops, by an error
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
        return  # how grpc ends a call that is refused
    except cygrpc.ExecuteBatchError:
        return  # the caller has gone
