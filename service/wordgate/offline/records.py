"""Send the records of a file to a model, and return them in order with their answers.

Readers yield an `InvalidFile` in place of an invalid record and continue; the caller decides
whether to stop.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from time import sleep
from typing import Protocol, TypeVar

from wordgate.errors import InvalidFile, InvalidInput, Overloaded
from wordgate.offline.pipelining import DEFAULT_IN_FLIGHT, in_turn


class Placed(Protocol):
    """A record that was read from a line of a file."""

    @property
    def path(self) -> Path:
        """Path of the file."""
        ...

    @property
    def line(self) -> int:
        """Line number, from 1."""
        ...


T = TypeVar("T")
R = TypeVar("R", bound=Placed)

_SHARED = ("model", "score_weights.", "search.")
"""Prefixes of fields that all records share; an error in one of them for the first is raised."""

_MAX_TRIES = 200
"""Maximum number of retries of an overloaded request, each after the requested delay."""


def raise_on_error(results: Iterable[T | InvalidFile]) -> Iterator[T]:
    """Yield the records; raise the first `InvalidFile` when it is reached."""
    for each in results:
        if isinstance(each, InvalidFile):
            raise each
        yield each


def answered(
    records: Iterable[R | InvalidFile],
    ask: "Callable[[R], Future[T]]",
    in_flight: int = DEFAULT_IN_FLIGHT,
) -> Iterator[tuple[R, T] | InvalidFile]:
    """Yield each record with its answer, in order, with `in_flight` requests in flight.

    Yields an `InvalidFile` with the line for a record that the reader or the model rejects. Retries
    requests that were rejected as overloaded. Raises any other error when its record is reached.
    """

    def submit(record: R | InvalidFile) -> "Future[T]":
        return Future() if isinstance(record, InvalidFile) else ask(record)

    is_first = True
    with closing(in_turn(records, submit, in_flight)) as asked:
        for record, question in asked:
            if isinstance(record, InvalidFile):
                yield record
                continue
            try:
                result = record, _retry_when_overloaded(ask, record, question)
            except InvalidInput as error:
                if is_first and error.field.startswith(_SHARED):
                    raise
                yield InvalidFile(record.path, str(error), record.line)
            else:
                is_first = False
                yield result


def _retry_when_overloaded(ask: "Callable[[R], Future[T]]", record: R, question: "Future[T]") -> T:
    """Wait for the answer; resubmit after `Overloaded`."""
    for _ in range(_MAX_TRIES):
        try:
            return question.result()
        except Overloaded as error:
            sleep(error.retry_after_seconds)
            question = ask(record)
    return question.result()
