"""Pipelining: keep several requests in flight and return the results in order."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import TypeVar

from wordgate.errors import WordgateError

T = TypeVar("T")

UNDER_WAY = 64
"""Default number of requests in flight."""


def in_order(questions: Iterable["Future[T]"], under_way: int = UNDER_WAY) -> Iterator[T]:
    """Yield the results in the order of the requests, with at most `under_way` in flight.

    `questions` is consumed lazily. An error of a request, or of creating it, is raised when that
    request is reached; the requests after it are cancelled.
    """
    with closing(in_turn(questions, under_way)) as pending:
        for question in pending:
            yield question.result()


def in_turn(
    questions: Iterable["Future[T]"], under_way: int = UNDER_WAY
) -> Generator["Future[T]", None, None]:
    """Same as `in_order`, but yields the futures, each when its result is due."""
    waiting: deque[Future[T]] = deque()
    problem = None
    asking = iter(questions)
    try:
        while True:
            try:
                waiting.append(next(asking))
            except StopIteration:
                break
            except WordgateError as error:
                problem = error
                break
            if len(waiting) >= under_way:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
        if problem is not None:
            raise problem
    finally:
        for question in waiting:
            question.cancel()
