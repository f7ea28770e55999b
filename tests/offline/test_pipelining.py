"""Several requests in flight."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future

import pytest

from wordgate.errors import InvalidInput
from wordgate.offline.pipelining import in_order


def _futures(count: int) -> "list[Future[int]]":
    return [Future() for _ in range(count)]


def _answers(futures: "Iterable[Future[int]]", in_flight: int = 64) -> Iterator[int]:
    """The results of requests that were already sent."""
    return (answer for _, answer in in_order(futures, lambda future: future, in_flight))


def test_answers_come_in_the_order_of_the_questions() -> None:
    """Results are in the order of the requests, however they complete."""
    futures = _futures(5)
    for number in (3, 0, 4, 1, 2):
        futures[number].set_result(number)
    assert list(in_order(range(5), futures.__getitem__, in_flight=2)) == [
        (number, number) for number in range(5)
    ]
    assert list(_answers([])) == []


def test_the_number_of_requests_in_flight_is_limited() -> None:
    """A request is sent only when there is room for it."""
    asked = 0

    def questions() -> "Iterator[Future[int]]":
        nonlocal asked
        for future in _futures(10):
            asked += 1
            future.set_result(asked)
            yield future

    answers = _answers(questions(), in_flight=3)
    assert next(answers) == 1
    assert asked == 3
    assert next(answers) == 2
    assert asked == 4
    assert list(answers) == [3, 4, 5, 6, 7, 8, 9, 10]


def test_an_error_is_raised_in_its_turn_and_cancels_the_rest() -> None:
    """Results before an error are yielded, requests after it are cancelled."""
    futures = _futures(4)
    futures[0].set_result(0)
    futures[1].set_exception(ValueError("broken"))
    answers = _answers(futures)
    assert next(answers) == 0
    with pytest.raises(ValueError, match="broken"):
        next(answers)
    assert futures[2].cancelled() and futures[3].cancelled()


def test_an_error_in_sending_is_raised_in_its_turn() -> None:
    """Results before an item that cannot be read, or cannot be submitted, come first."""

    def submit(number: int) -> "Future[int]":
        if number == 3:
            raise InvalidInput("text", "cannot be sent")
        future: Future[int] = Future()
        future.set_result(number)
        return future

    def items(last: int) -> Iterator[int]:
        yield from range(last)
        raise InvalidInput("text", "cannot be read")

    for last, problem in ((3, "cannot be read"), (4, "cannot be sent")):
        answers = in_order(items(last), submit)
        assert [next(answers) for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]
        with pytest.raises(InvalidInput, match=problem):
            next(answers)


def test_an_error_in_a_question_cancels_what_is_under_way() -> None:
    """If a request cannot be created, the pending ones are cancelled."""
    futures = _futures(2)

    def questions() -> "Iterator[Future[int]]":
        yield from futures
        raise ValueError("no such line")

    with pytest.raises(ValueError, match="no such line"):
        list(_answers(questions()))
    assert all(future.cancelled() for future in futures)


def test_closing_the_iterator_cancels_the_rest() -> None:
    """Closing the iterator early cancels pending requests."""
    futures = _futures(3)
    futures[0].set_result(0)
    answers = in_order(futures, lambda future: future, in_flight=3)
    assert next(answers) == (futures[0], 0)
    answers.close()
    assert futures[1].cancelled() and futures[2].cancelled()
