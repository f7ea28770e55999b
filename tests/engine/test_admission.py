"""Admission by the time that work would wait."""

import pytest
from tests.clock import Clock

from wordgate.engine.admission import Admission
from wordgate.errors import Overloaded


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def admission(clock: Clock) -> Admission:
    """May wait for a second, and two at a time in any case."""
    return Admission(1.0, 2, clock=clock)


def _do(admission: Admission, clock: Clock, size: float, seconds: float) -> None:
    """Work from its beginning to its end, alone."""
    admission.enter(size)
    clock.now += seconds
    admission.leave(size, is_done=True)


def test_the_wait_is_foretold_from_what_was_done(admission: Admission, clock: Clock) -> None:
    """Where ten of something took a second, what waits of it takes a tenth each."""
    _do(admission, clock, 10, 1.0)
    assert admission.wait_seconds == 0.0
    admission.enter(3)
    assert admission.wait_seconds == pytest.approx(0.3)
    admission.enter(5)
    assert admission.wait_seconds == pytest.approx(0.8)


def test_what_would_wait_too_long_is_refused_with_the_time_to_come_again(
    admission: Admission, clock: Clock
) -> None:
    """It is refused before it has waited, and told when those before it will be done."""
    _do(admission, clock, 10, 1.0)
    for _ in range(5):
        admission.enter(5)
    with pytest.raises(Overloaded, match="5 requests") as refused:
        admission.enter(1)
    assert refused.value.retry_after_seconds == pytest.approx(2.5)
    for _ in range(3):
        admission.leave(5, is_done=True)
    admission.enter(1)


def test_a_few_at_the_same_time_are_no_flood(admission: Admission, clock: Clock) -> None:
    """Work may wait for twice as long, until some had to be refused; a second later again."""
    _do(admission, clock, 10, 1.0)
    for _ in range(3):
        admission.enter(7)
    assert _is_refused(admission)
    admission.leave(7, is_done=False)
    assert admission.wait_seconds == pytest.approx(1.4)
    assert _is_refused(admission)
    clock.now += 1.1
    admission.leave(7, is_done=True)
    admission.enter(7)
    assert not _is_refused(admission)


def _is_refused(admission: Admission) -> bool:
    try:
        admission.enter(1)
    except Overloaded:
        return True
    return False


def test_those_who_share_a_call_are_taken(clock: Clock) -> None:
    """While all together ask for few rows at once they do not wait for each other."""
    admission = Admission(0.0, 1, spared_rows=16, clock=clock)
    _do(admission, clock, 1, 1.0)
    for _ in range(16):
        admission.enter(100)
    assert _is_refused(admission)
    admission.leave(100, is_done=True)
    assert not _is_refused(admission)


def test_small_work_waits_for_the_turns_of_large_work(clock: Clock) -> None:
    """It comes between their parts; what is large itself has to wait for all of them."""
    admission = Admission(1.0, 1, turn_size=10, clock=clock)
    _do(admission, clock, 10, 1.0)
    admission.enter(1000)
    admission.enter(10)
    with pytest.raises(Overloaded):
        admission.enter(11)
    admission.leave(1000, is_done=False)
    admission.leave(10, is_done=False)
    assert admission.wait_seconds == 0.0


def test_some_are_taken_however_large_they_are(admission: Admission, clock: Clock) -> None:
    """Two that take long are taken: they slow each other down to a half, and no more."""
    _do(admission, clock, 1, 1.0)
    admission.enter(100)
    admission.enter(100)
    with pytest.raises(Overloaded):
        admission.enter(100)


def test_before_anything_was_done_the_time_that_passed_is_the_wait(
    admission: Admission, clock: Clock
) -> None:
    """While nothing is known many are taken, until the first takes too long."""
    for _ in range(10):
        admission.enter(1)
    clock.now += 2.1
    with pytest.raises(Overloaded):
        admission.enter(1)


def test_time_in_which_nothing_is_there_does_not_count(admission: Admission, clock: Clock) -> None:
    """An hour of quiet is no reason to think that work has become slow."""
    _do(admission, clock, 10, 1.0)
    clock.now += 3600
    admission.enter(5)
    assert admission.wait_seconds == pytest.approx(0.5)


def test_work_that_does_not_end_makes_the_wait_longer(admission: Admission, clock: Clock) -> None:
    """Where the model has become slow, this is seen before the next work is done."""
    _do(admission, clock, 10, 1.0)
    admission.enter(5)
    before = admission.wait_seconds
    clock.now += 2.0
    assert admission.wait_seconds > 2 * before


def test_the_speed_of_long_ago_is_forgotten(admission: Admission, clock: Clock) -> None:
    """After some seconds at another speed, that is what is reckoned with."""
    _do(admission, clock, 1, 1.0)
    for _ in range(100):
        _do(admission, clock, 1, 0.1)
    admission.enter(1)
    assert admission.wait_seconds == pytest.approx(0.1, rel=0.01)


def test_what_was_dropped_is_not_taken_for_done(admission: Admission, clock: Clock) -> None:
    """Work that its caller gave up leaves room, and does not make the others look faster."""
    _do(admission, clock, 10, 1.0)
    admission.enter(100)
    admission.enter(5)
    admission.leave(100, is_done=False)
    assert admission.wait_seconds == pytest.approx(0.5)
    admission.leave(5, is_done=False)
    assert admission.wait_seconds == 0.0


def test_time_in_which_all_was_dropped_is_not_remembered_for_long(
    admission: Admission, clock: Clock
) -> None:
    """An hour of work whose callers gave up is no reason to send others away for another."""
    _do(admission, clock, 10, 0.1)
    admission.enter(1)
    for _ in range(3600):
        admission.enter(1)
        clock.now += 1.0
        admission.leave(1, is_done=False)
    admission.leave(1, is_done=True)
    for _ in range(2):
        admission.enter(1)
    with pytest.raises(Overloaded) as refused:
        admission.enter(1)
    assert refused.value.retry_after_seconds < 10.0
    for _ in range(2):
        admission.leave(1, is_done=True)
    for _ in range(100):
        _do(admission, clock, 1, 0.01)
    admission.enter(1)
    assert admission.wait_seconds < 0.05


def test_nobody_is_sent_away_for_days(admission: Admission, clock: Clock) -> None:
    """What is known of small work misleads about large work; who comes soon is told again."""
    _do(admission, clock, 1, 0.1)
    for _ in range(2):
        admission.enter(1e6)
    with pytest.raises(Overloaded) as refused:
        admission.enter(1)
    assert refused.value.retry_after_seconds == pytest.approx(3.0)
