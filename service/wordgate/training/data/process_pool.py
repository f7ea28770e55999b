"""Process chunks in two worker processes and yield the results in order.

Only a few chunks are in flight at a time, so the input may be larger than memory.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from wordgate.offline.pipelining import in_order

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

_PROCESSES = 2
_IN_FLIGHT = 3 * _PROCESSES
_WORTH_IT_BYTES = 4 << 20
"""Minimum input size for worker processes. Starting them takes as long as processing a few MB."""

_prepared: list[Any] = []
"""In a worker: the function that processes a chunk."""


class Workers(Generic[Chunk, Result]):
    """A pool of two processes; small inputs are processed in the calling process.

    `make()` is called once per process and returns the function that processes a chunk, so that
    its data (for example a tokenizer) is transferred and built once.
    """

    def __init__(self, make: Callable[[], Callable[[Chunk], Result]], size_bytes: int) -> None:
        self._make = make
        self._executor: ProcessPoolExecutor | None = None
        if size_bytes >= _WORTH_IT_BYTES:
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(_PROCESSES, context, _prepare, (make,))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def in_order(self, chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Yield the results of all chunks, in the order of the chunks."""
        if self._executor is None:
            yield from map(self._make(), chunks)
            return
        executor = self._executor

        def submit(chunk: Chunk) -> "Future[Result]":
            return executor.submit(_do, chunk)

        for _, result in in_order(chunks, submit, _IN_FLIGHT):
            yield result


def _prepare(make: Callable[[], Any]) -> None:
    """Initialise a worker: ignore SIGINT, which the parent handles, and exit with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _prepared[:] = [make()]


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _do(chunk: Any) -> Any:
    return _prepared[0](chunk)
