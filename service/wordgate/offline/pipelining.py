"""Pipelining: keep several requests in flight and return the results in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from contextlib import closing
from typing import TypeVar

from wordgate.errors import WordgateError

Item = TypeVar("Item")
T = TypeVar("T")

DEFAULT_IN_FLIGHT = 64
"""Default number of requests in flight."""


def in_order(
    items: Iterable[Item], submit: "Callable[[Item], Future[T]]", in_flight: int = DEFAULT_IN_FLIGHT
) -> Generator[tuple[Item, T], None, None]:
    """Yield each item with the result of its request, with at most `in_flight` in flight.

    `items` is consumed lazily. An error of an item, of submitting it or of its request is raised
    when it is reached; the requests after it are cancelled.
    """
    with closing(in_turn(items, submit, in_flight)) as asked:
        for item, question in asked:
            yield item, question.result()


def in_turn(
    items: Iterable[Item], submit: "Callable[[Item], Future[T]]", in_flight: int = DEFAULT_IN_FLIGHT
) -> "Generator[tuple[Item, Future[T]], None, None]":
    """Same as `in_order`, but yields the futures, each when its result is due."""
    waiting: deque[tuple[Item, Future[T]]] = deque()
    problem: WordgateError | None = None
    try:
        try:
            for item in items:
                waiting.append((item, _submitted(item, submit)))
                if len(waiting) >= in_flight:
                    yield waiting.popleft()
        except WordgateError as error:
            problem = error
        while waiting:
            yield waiting.popleft()
        if problem is not None:
            raise problem
    finally:
        for _, question in waiting:
            question.cancel()


def _submitted(item: Item, submit: "Callable[[Item], Future[T]]") -> "Future[T]":
    """Submit an item; return an error as a future with an exception."""
    try:
        return submit(item)
    except WordgateError as error:
        failed: Future[T] = Future()
        failed.set_exception(error)
        return failed
