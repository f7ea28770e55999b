"""Many questions under way at once, answered in order.

Knows futures and errors only.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import TypeVar

from wordgate.errors import WordgateError

T = TypeVar("T")

UNDER_WAY = 64
"""Questions asked before the first answer is waited for."""


def in_order(questions: Iterable["Future[T]"], under_way: int = UNDER_WAY) -> Iterator[T]:
    """The answers in the order of the questions, which are asked only as room comes free.

    What went wrong with a question, or in asking it, is raised when its turn comes; those behind
    it are cancelled.
    """
    with closing(in_turn(questions, under_way)) as asked:
        for question in asked:
            yield question.result()


def in_turn(
    questions: Iterable["Future[T]"], under_way: int = UNDER_WAY
) -> Generator["Future[T]", None, None]:
    """The questions as `in_order`, each when it is time to wait for its answer."""
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
