"""Many questions under way at once, answered in order.

Knows futures only.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

UNDER_WAY = 64
"""Questions asked before the first answer is waited for."""


def in_order(questions: Iterable["Future[T]"], under_way: int = UNDER_WAY) -> Iterator[T]:
    """The answers in the order of the questions, which are asked only as room comes free.

    What went wrong with a question is raised when its turn comes; those behind it are cancelled.
    """
    waiting: deque[Future[T]] = deque()
    try:
        for question in questions:
            waiting.append(question)
            if len(waiting) >= under_way:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for question in waiting:
            question.cancel()
