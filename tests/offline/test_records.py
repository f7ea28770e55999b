"""Records sent in order, with errors in place of invalid ones."""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import pytest

from wordgate.errors import InvalidFile, InvalidInput, Overloaded
from wordgate.offline.records import answered, raise_on_error

FILE = Path("f")


@dataclass(frozen=True)
class _Record:
    line: int
    path: Path = FILE


def _found(value: int | Exception) -> "Future[int]":
    future: Future[int] = Future()
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)
    return future


def _records(count: int) -> Iterator[_Record]:
    return (_Record(line) for line in range(1, count + 1))


def test_bad_records_stand_in_their_places() -> None:
    """Records rejected by the reader, on submission or by the model keep their lines."""

    def ask(record: _Record) -> "Future[int]":
        if record.line == 2:
            raise InvalidInput("text", "cannot be sent")
        if record.line == 3:
            return _found(InvalidInput("text", "is too long"))
        return _found(record.line * 10)

    records: list[_Record | InvalidFile] = [
        *_records(4),
        InvalidFile(FILE, "is no JSON", 5),
        _Record(6),
    ]
    found = list(answered(records, ask, in_flight=3))
    assert found[0] == (_Record(1), 10)
    assert [str(each) for each in found[1:3]] == [
        "f:2: text: cannot be sent",
        "f:3: text: is too long",
    ]
    assert found[3] == (_Record(4), 40)
    assert found[4] is records[4]
    assert found[5] == (_Record(6), 60)
    with pytest.raises(InvalidFile, match="f:2"):
        list(raise_on_error(answered(records, ask)))


def test_an_error_in_a_shared_field_is_raised_for_the_first_record() -> None:
    """An error in a shared field is raised for the first record, yielded for later ones."""

    def ask(record: _Record) -> "Future[int]":
        wrong = InvalidInput("score_weights.weights[x]", "weighs nothing")
        return _found(wrong if record.line in bad else record.line)

    bad = {1}
    with pytest.raises(InvalidInput, match="weighs nothing"):
        list(answered(_records(2), ask))
    bad = {2}
    found = list(answered(_records(3), ask))
    assert isinstance(found[1], InvalidFile)
    assert found[2] == (_Record(3), 3)


def test_overloaded_requests_are_retried() -> None:
    """Overloaded requests are retried, and the order is kept."""
    tries: dict[int, int] = {}

    def ask(record: _Record) -> "Future[int]":
        tries[record.line] = tries.get(record.line, 0) + 1
        busy = record.line == 2 and tries[2] < 4
        return _found(Overloaded("full", 0.001) if busy else record.line)

    found = list(answered(_records(3), ask))
    assert found == [(_Record(line), line) for line in (1, 2, 3)]
    assert tries == {1: 1, 2: 4, 3: 1}
