"""Several requests in flight."""

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from wordgate.offline.pipelining import in_order


def _futures(count: int) -> "list[Future[int]]":
    return [Future() for _ in range(count)]


def test_answers_come_in_the_order_of_the_questions() -> None:
    """Results are in the order of the requests, however they complete."""
    futures = _futures(5)
    for number in (3, 0, 4, 1, 2):
        futures[number].set_result(number)
    assert list(in_order(iter(futures), under_way=2)) == [0, 1, 2, 3, 4]
    assert list(in_order([])) == []


def test_the_number_of_requests_in_flight_is_limited() -> None:
    """A request is sent only when there is room for it."""
    asked = 0

    def questions() -> "Iterator[Future[int]]":
        nonlocal asked
        for future in _futures(10):
            asked += 1
            future.set_result(asked)
            yield future

    answers = in_order(questions(), under_way=3)
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
    answers = in_order(futures)
    assert next(answers) == 0
    with pytest.raises(ValueError, match="broken"):
        next(answers)
    assert futures[2].cancelled() and futures[3].cancelled()


def test_an_error_in_a_question_cancels_what_is_under_way() -> None:
    """If a request cannot be created, the pending ones are cancelled."""
    futures = _futures(2)

    def questions() -> "Iterator[Future[int]]":
        yield from futures
        raise ValueError("no such line")

    with pytest.raises(ValueError, match="no such line"):
        list(in_order(questions()))
    assert all(future.cancelled() for future in futures)


def test_closing_the_iterator_cancels_the_rest() -> None:
    """Closing the iterator early cancels pending requests."""
    futures = _futures(3)
    futures[0].set_result(0)
    answers = in_order(futures, under_way=3)
    assert next(answers) == 0
    answers.close()  # type: ignore[attr-defined]
    assert futures[1].cancelled() and futures[2].cancelled()
