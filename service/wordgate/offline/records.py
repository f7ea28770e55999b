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
from time import sleep
from typing import Protocol, TypeVar

from wordgate.errors import InvalidFile, InvalidInput, Overloaded
from wordgate.offline.pipelining import UNDER_WAY, in_turn


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

_SHARED = ("model", "weighting.", "search.")
"""Fields that belong to no record begin so: what is wrong with them for the first is raised."""

_MOST_TRIES = 200
"""How often a question that is refused as too much is asked again, each time after a wait."""


def raise_on_error(found: Iterable[T | InvalidFile]) -> Iterator[T]:
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
    One that is refused as too much is asked again. Raises any other error in its turn.
    """
    waiting: deque[R | InvalidFile] = deque()

    def questions() -> "Iterator[Future[T]]":
        for record in records:
            waiting.append(record)
            yield Future() if isinstance(record, InvalidFile) else _asked(ask, record)

    is_first = True
    with closing(in_turn(questions(), under_way)) as asked:
        for question in asked:
            record = waiting.popleft()
            if isinstance(record, InvalidFile):
                yield record
                continue
            try:
                found = record, _retry_when_overloaded(ask, record, question)
            except InvalidInput as error:
                if is_first and error.field.startswith(_SHARED):
                    raise
                yield InvalidFile(record.path, str(error), record.line)
            else:
                is_first = False
                yield found


def _asked(ask: "Callable[[R], Future[T]]", record: R) -> "Future[T]":
    """The question; what is wrong with it is its error."""
    try:
        return ask(record)
    except InvalidInput as error:
        refused: Future[T] = Future()
        refused.set_exception(error)
        return refused


def _retry_when_overloaded(ask: "Callable[[R], Future[T]]", record: R, question: "Future[T]") -> T:
    """The answer, however often a server says that it has too much to do."""
    for _ in range(_MOST_TRIES):
        try:
            return question.result()
        except Overloaded as error:
            sleep(error.retry_after_seconds)
            question = _asked(ask, record)
    return question.result()
