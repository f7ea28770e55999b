"""Admission by the time that work would wait."""

import pytest
from tests.clock import Clock

from wordgate.engine.admission import AdmissionController
from wordgate.errors import Overloaded


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def admission(clock: Clock) -> AdmissionController:
    """May wait for a second, and two at a time in any case."""
    return AdmissionController(1.0, 2, clock=clock)


def _do(admission: AdmissionController, clock: Clock, size: float, seconds: float) -> None:
    """Work from its beginning to its end, alone."""
    work = admission.enter(size)
    clock.now += seconds
    work.leave(is_done=True)


def test_the_wait_is_foretold_from_what_was_done(
    admission: AdmissionController, clock: Clock
) -> None:
    """Where ten of something took a second, what waits of it takes a tenth each."""
    _do(admission, clock, 10, 1.0)
    assert admission.wait_seconds == 0.0
    admission.enter(3)
    assert admission.wait_seconds == pytest.approx(0.3)
    admission.enter(5)
    assert admission.wait_seconds == pytest.approx(0.8)


def test_what_would_wait_too_long_is_refused_with_the_time_to_come_again(
    admission: AdmissionController, clock: Clock
) -> None:
    """It is refused before it has waited, and told when those before it will be done."""
    _do(admission, clock, 10, 1.0)
    works = [admission.enter(5) for _ in range(5)]
    with pytest.raises(Overloaded, match="5 requests") as refused:
        admission.enter(1)
    assert refused.value.retry_after_seconds == pytest.approx(2.5)
    for work in works[:3]:
        work.leave(is_done=True)
    admission.enter(1)


def test_a_few_at_the_same_time_are_no_flood(admission: AdmissionController, clock: Clock) -> None:
    """Work may wait for twice as long, until some had to be refused; a second later again."""
    _do(admission, clock, 10, 1.0)
    works = [admission.enter(7) for _ in range(3)]
    assert _is_refused(admission)
    works[0].leave(is_done=False)
    assert admission.wait_seconds == pytest.approx(1.4)
    assert _is_refused(admission)
    clock.now += 1.1
    works[1].leave(is_done=True)
    admission.enter(7)
    assert not _is_refused(admission)


def _is_refused(admission: AdmissionController, size: float = 1) -> bool:
    try:
        admission.enter(size)
    except Overloaded:
        return True
    return False


def test_those_who_share_a_call_are_taken(clock: Clock) -> None:
    """While all together ask for few rows at once they do not wait for each other."""
    admission = AdmissionController(0.0, 1, spared_rows=16, clock=clock)
    _do(admission, clock, 1, 1.0)
    works = [admission.enter(100) for _ in range(16)]
    assert _is_refused(admission)
    works[0].leave(is_done=True)
    assert not _is_refused(admission)


def test_small_work_waits_for_the_turns_of_large_work(clock: Clock) -> None:
    """It comes between their parts; what is large itself has to wait for all of them."""
    admission = AdmissionController(1.0, 1, quantum=10, clock=clock)
    _do(admission, clock, 10, 1.0)
    large, small = admission.enter(1000), admission.enter(10)
    with pytest.raises(Overloaded):
        admission.enter(11)
    large.leave(is_done=False)
    small.leave(is_done=False)
    assert admission.wait_seconds == 0.0


def test_some_are_taken_however_large_they_are(
    admission: AdmissionController, clock: Clock
) -> None:
    """Two that take long are taken: they slow each other down to a half, and no more."""
    _do(admission, clock, 1, 1.0)
    admission.enter(100)
    admission.enter(100)
    with pytest.raises(Overloaded):
        admission.enter(100)


def test_before_anything_was_done_the_time_that_passed_is_the_wait(
    admission: AdmissionController, clock: Clock
) -> None:
    """While nothing is known many are taken, until the first takes too long."""
    for _ in range(10):
        admission.enter(1)
    clock.now += 2.1
    with pytest.raises(Overloaded):
        admission.enter(1)


def test_time_in_which_nothing_is_there_does_not_count(
    admission: AdmissionController, clock: Clock
) -> None:
    """An hour of quiet is no reason to think that work has become slow."""
    _do(admission, clock, 10, 1.0)
    clock.now += 3600
    admission.enter(5)
    assert admission.wait_seconds == pytest.approx(0.5)


def test_work_that_does_not_end_makes_the_wait_longer(
    admission: AdmissionController, clock: Clock
) -> None:
    """Where the model has become slow, this is seen before the next work is done."""
    _do(admission, clock, 10, 1.0)
    admission.enter(5)
    before = admission.wait_seconds
    clock.now += 2.0
    assert admission.wait_seconds > 2 * before


def test_the_speed_of_long_ago_is_forgotten(admission: AdmissionController, clock: Clock) -> None:
    """After some seconds at another speed, that is what is reckoned with."""
    _do(admission, clock, 1, 1.0)
    for _ in range(100):
        _do(admission, clock, 1, 0.1)
    admission.enter(1)
    assert admission.wait_seconds == pytest.approx(0.1, rel=0.01)


def test_what_was_dropped_is_not_taken_for_done(
    admission: AdmissionController, clock: Clock
) -> None:
    """Work that its caller gave up leaves room, and does not make the others look faster."""
    _do(admission, clock, 10, 1.0)
    large, small = admission.enter(100), admission.enter(5)
    large.leave(is_done=False)
    assert admission.wait_seconds == pytest.approx(0.5)
    small.leave(is_done=False)
    assert admission.wait_seconds == 0.0


def test_time_in_which_all_was_dropped_is_not_remembered_for_long(
    admission: AdmissionController, clock: Clock
) -> None:
    """An hour of work whose callers gave up is no reason to send others away for another."""
    _do(admission, clock, 10, 0.1)
    slow = admission.enter(1)
    for _ in range(3600):
        dropped = admission.enter(1)
        clock.now += 1.0
        dropped.leave(is_done=False)
    slow.leave(is_done=True)
    works = [admission.enter(1) for _ in range(2)]
    with pytest.raises(Overloaded) as refused:
        admission.enter(1)
    assert refused.value.retry_after_seconds < 10.0
    for work in works:
        work.leave(is_done=True)
    for _ in range(100):
        _do(admission, clock, 1, 0.01)
    admission.enter(1)
    assert admission.wait_seconds < 0.05


def test_nobody_is_sent_away_for_days(admission: AdmissionController, clock: Clock) -> None:
    """What is known of small work misleads about large work; who comes soon is told again."""
    _do(admission, clock, 1, 0.1)
    for _ in range(2):
        admission.enter(1e6)
    with pytest.raises(Overloaded) as refused:
        admission.enter(1)
    assert refused.value.retry_after_seconds == pytest.approx(3.0)


def test_long_work_in_progress_is_known_to_go_on(clock: Clock) -> None:
    """The rows of work that takes seconds keep the estimate, though nothing ends meanwhile."""
    admission = AdmissionController(1.0, 0, quantum=10, row_size=1.0, clock=clock)
    large = admission.enter(1000)
    for _ in range(50):
        clock.now += 0.1
        large.progress(10)
    assert admission.wait_seconds == pytest.approx(5.0, rel=0.01)
    clock.now += 0.1
    assert admission.wait_seconds == pytest.approx(5.0, rel=0.15)


def test_small_work_beside_large_work_is_taken(clock: Clock) -> None:
    """Large work whose first turn is over keeps no small work out; other large work it does."""
    admission = AdmissionController(0.05, 0, quantum=100, row_size=1.0, clock=clock)
    works = [admission.enter(100_000) for _ in range(2)]
    refused = 0
    for _ in range(100):
        clock.now += 0.05
        for large in works:
            large.progress(50)
        small = admission.enter(20)
        refused += _is_refused(admission, 100_000)
        small.progress(20)
        small.leave(is_done=True)
    assert refused == 100


def test_a_flood_beside_large_work_is_refused(clock: Clock) -> None:
    """Small requests have to wait for each other as ever."""
    admission = AdmissionController(0.05, 0, quantum=100, row_size=1.0, clock=clock)
    large = admission.enter(100_000)
    clock.now += 0.1
    large.progress(200)
    taken = 0
    while not _is_refused(admission, 50):
        taken += 1
    assert 1 <= taken <= 5


def test_the_size_of_a_row_is_learned(clock: Clock) -> None:
    """Work that has ended says how much its rows were; more than nine tenths are never guessed."""
    admission = AdmissionController(1.0, 0, row_size=100.0, clock=clock)
    for _ in range(100):
        work = admission.enter(10)
        clock.now += 0.1
        work.progress(100)
        work.leave(is_done=True)
    work = admission.enter(10)
    work.progress(50)
    assert work.done_size == pytest.approx(5.0, rel=0.01)
    work.progress(5000)
    assert work.done_size == pytest.approx(9.0)
    assert admission.wait_seconds == pytest.approx(0.01, rel=0.2)


def test_idle_time_before_and_after_long_work_does_not_count(clock: Clock) -> None:
    """An hour of quiet between two is no reason to think that the second is slow."""
    admission = AdmissionController(1.0, 0, row_size=1.0, clock=clock)
    for _ in range(2):
        work = admission.enter(100)
        clock.now += 1.0
        work.progress(50)
        assert admission.wait_seconds == pytest.approx(1.0)
        work.leave(is_done=False)
        clock.now += 3600


def test_one_more_is_taken_until_there_is_a_flood(clock: Clock) -> None:
    """Three equal callers are served where two are computed at once; in a flood only two are."""
    admission = AdmissionController(0.0, 2, spared_in_calm=3, clock=clock)
    _do(admission, clock, 1, 1.0)
    works = [admission.enter(10) for _ in range(3)]
    assert _is_refused(admission)
    works[0].leave(is_done=False)
    assert _is_refused(admission)
    clock.now += 1.1
    assert not _is_refused(admission)


def test_long_predictions_keep_out_no_short_ones(clock: Clock) -> None:
    """Work of more rows than others wait for lets them pass, so it does not count in full."""
    admission = AdmissionController(0.1, 2, quantum=64, most_rows=64, clock=clock)
    long = [admission.enter(1) for _ in range(2)]
    for _ in range(100):
        clock.now += 0.005
        for work in long:
            work.progress(20)  # 8,000 rows a second, and no end
    for _ in range(16):
        admission.enter(1)
    assert any(_is_refused(admission) for _ in range(100))


def test_predictions_are_as_large_as_they_were(clock: Clock) -> None:
    """Where they have had few rows, many may wait."""
    admission = AdmissionController(0.1, 2, quantum=64, most_rows=64, clock=clock)
    for _ in range(200):
        work = admission.enter(1)
        clock.now += 0.001
        work.progress(4)
        work.leave(is_done=True)
    taken = [admission.enter(1) for _ in range(90)]
    assert len(taken) == 90


def _predictions(clock: Clock) -> AdmissionController:
    """A second to wait; 10,000 rows a second were answered, 10 for each prediction."""
    admission = AdmissionController(1.0, 0, quantum=64, most_rows=64, clock=clock)
    for _ in range(200):
        work = admission.enter(1)
        clock.now += 0.001
        work.progress(10)
        work.leave(is_done=True)
    return admission


def test_predictions_are_as_large_as_the_pieces_that_they_read(clock: Clock) -> None:
    """Once its history is cut, work counts with all that it will ask for, until it has ended."""
    admission = _predictions(clock)
    work = admission.enter(1)
    assert admission.wait_seconds == pytest.approx(0.001, rel=0.01)
    work.expect(1000)
    assert admission.wait_seconds == pytest.approx(0.1, rel=0.01)
    work.expect(500)
    assert work.size == 1000
    for _ in range(5):
        clock.now += 0.01
        work.progress(100)
    assert admission.wait_seconds == pytest.approx(0.05, rel=0.1)
    work.leave(is_done=True)
    assert admission.wait_seconds == 0.0


def test_a_long_history_is_refused_where_others_are_read_first(clock: Clock) -> None:
    """Ten of a thousand pieces take a second; in a burst one is taken that finds twenty."""
    admission = _predictions(clock)
    for _ in range(21):
        admission.enter(1).expect(990)
    late = admission.enter(1)
    with pytest.raises(Overloaded, match="21 requests") as refused:
        late.expect(1000)
    assert refused.value.retry_after_seconds == pytest.approx(2.08, rel=0.02)
    late.leave(is_done=False)
    assert admission.wait_seconds == pytest.approx(2.08, rel=0.02)


def test_long_histories_keep_out_no_short_ones(clock: Clock) -> None:
    """Others wait for a turn of each alone."""
    admission = _predictions(clock)
    for _ in range(21):
        admission.enter(1).expect(990)
    admission.enter(1).expect(64)
    assert not _is_refused(admission)


def test_long_histories_that_share_calls_are_taken(clock: Clock) -> None:
    """Few at once are taken, however long they are."""
    admission = AdmissionController(0.0, 1, quantum=64, most_rows=64, spared_rows=4, clock=clock)
    _do(admission, clock, 1, 1.0)
    works = [admission.enter(1, rows=2) for _ in range(2)]
    for work in works:
        work.expect(1000)
    assert _is_refused(admission)


def test_pieces_of_a_history_change_no_size_in_bytes(
    admission: AdmissionController, clock: Clock
) -> None:
    """Where sizes are no rows, what was estimated from the message stays."""
    _do(admission, clock, 10, 1.0)
    work = admission.enter(5)
    work.expect(1_000_000)
    assert work.size == 5
    assert admission.wait_seconds == pytest.approx(0.5)
