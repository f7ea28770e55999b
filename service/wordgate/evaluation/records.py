"""Records of a file, each with its answer, and those that cannot be used in their places.

Knows futures, errors and where a record was read; does not know what is asked. A reader gives an
`InvalidFile` in place of a line that is none of its records and goes on: whoever reads decides
whether that is the end.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Protocol, TypeVar

from wordgate.errors import InvalidFile, InvalidInput
from wordgate.evaluation.in_flight import UNDER_WAY, in_turn


class Placed(Protocol):
    """What was read from a line of a file."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def line(self) -> int:
        """The line's number, from 1."""
        ...


T = TypeVar("T")
R = TypeVar("R", bound=Placed)

SHARED_BY_ALL = "weighting."
"""Fields that belong to no record begin so: what is wrong with them is raised."""


def strictly(found: Iterable[T | InvalidFile]) -> Iterator[T]:
    """What was found; raises the first `InvalidFile` in its turn."""
    for each in found:
        if isinstance(each, InvalidFile):
            raise each
        yield each


def answered(
    records: Iterable[R | InvalidFile],
    ask: "Callable[[R], Future[T]]",
    under_way: int = UNDER_WAY,
) -> Iterator[tuple[R, T] | InvalidFile]:
    """Each record with its answer, in order, `under_way` of them asked at once.

    One that cannot be used, by its reader or by who is asked, is an `InvalidFile` with its line.
    Raises any other error in its turn.
    """
    waiting: deque[R | InvalidFile] = deque()

    def questions() -> "Iterator[Future[T | None]]":
        for record in records:
            waiting.append(record)
            yield _nothing() if isinstance(record, InvalidFile) else ask(record)  # type: ignore[misc]

    with closing(in_turn(questions(), under_way)) as asked:
        for question in asked:
            yield _answer(waiting.popleft(), question)  # type: ignore[arg-type]


def _answer(record: R | InvalidFile, question: "Future[T]") -> tuple[R, T] | InvalidFile:
    if isinstance(record, InvalidFile):
        return record
    try:
        return record, question.result()
    except InvalidInput as error:
        if error.field.startswith(SHARED_BY_ALL):
            raise
        return InvalidFile(record.path, str(error), record.line)


def _nothing() -> "Future[None]":
    """A question that is answered already."""
    done: Future[None] = Future()
    done.set_result(None)
    return done
