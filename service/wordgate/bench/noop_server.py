"""A server that accepts streams of any method and does nothing with them.

It measures the cost of a stream itself in gRPC and Python. Run as
`python -m wordgate.bench.noop_server`.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from wordgate.errors import WordgateError
from wordgate.server.event_loop import loop_factory


@dataclass(frozen=True)
class NoopServer:
    """A no-op server process."""

    address: str
    process_id: int


@contextmanager
def noop_server() -> Iterator[NoopServer]:
    """Run a no-op server on a free local port. Raises `WordgateError` if it does not start."""
    command = [sys.executable, "-m", "wordgate.bench.noop_server"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip() if process.stdout else ""
        if not address:
            raise WordgateError("no-op server did not start")
        yield NoopServer(address, process.pid)
    finally:
        process.kill()
        process.communicate()


class _Anything(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.stream_stream_rpc_method_handler(_do_nothing)


async def _do_nothing(requests: AsyncIterator[bytes], context: Any) -> None:
    async for _ in requests:
        pass


async def _serve() -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([_Anything()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"127.0.0.1:{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve())
