"""Admission control by estimated queueing delay."""

import pytest
from tests.clock import Clock

from wordgate.engine.admission import AdmissionController
from wordgate.errors import Overloaded


@pytest.fixture
def clock() -> Clock:
    """A clock that only moves when a test sets it."""
    return Clock()


@pytest.fixture
def admission(clock: Clock) -> AdmissionController:
    """A limit of one second; two jobs are always admitted."""
    return AdmissionController(1.0, 2, clock=clock)


def _do(admission: AdmissionController, clock: Clock, size: float, seconds: float) -> None:
    """Run one job from start to end, alone."""
    work = admission.acquire(size)
    clock.now += seconds
    work.release(is_done=True)


def test_the_delay_is_estimated_from_past_throughput(
    admission: AdmissionController, clock: Clock
) -> None:
    """At ten units per second, each queued unit adds 0.1 s."""
    _do(admission, clock, 10, 1.0)
    assert admission.wait_seconds == 0.0
    admission.acquire(3)
    assert admission.wait_seconds == pytest.approx(0.3)
    admission.acquire(5)
    assert admission.wait_seconds == pytest.approx(0.8)


def test_a_rejection_has_the_time_until_retry(admission: AdmissionController, clock: Clock) -> None:
    """A job is rejected at once, with the estimated time until the queue is empty."""
    _do(admission, clock, 10, 1.0)
    works = [admission.acquire(5) for _ in range(5)]
    with pytest.raises(Overloaded, match="5 requests") as refused:
        admission.acquire(1)
    assert refused.value.retry_after_seconds == pytest.approx(2.5)
    for work in works[:3]:
        work.release(is_done=True)
    admission.acquire(1)


def test_a_short_burst_may_queue_for_twice_the_limit(
    admission: AdmissionController, clock: Clock
) -> None:
    """Twice the limit applies until a rejection, and again one second after it."""
    _do(admission, clock, 10, 1.0)
    works = [admission.acquire(7) for _ in range(3)]
    assert _is_refused(admission)
    works[0].release(is_done=False)
    assert admission.wait_seconds == pytest.approx(1.4)
    assert _is_refused(admission)
    clock.now += 1.1
    works[1].release(is_done=True)
    admission.acquire(7)
    assert not _is_refused(admission)


def _is_refused(admission: AdmissionController, size: float = 1) -> bool:
    try:
        admission.acquire(size)
    except Overloaded:
        return True
    return False


def test_jobs_that_share_a_batch_are_admitted(clock: Clock) -> None:
    """Jobs are admitted at any delay while all together request few rows per batch."""
    admission = AdmissionController(0.0, 1, spared_rows=16, clock=clock)
    _do(admission, clock, 1, 1.0)
    works = [admission.acquire(100) for _ in range(16)]
    assert _is_refused(admission)
    works[0].release(is_done=True)
    assert not _is_refused(admission)


def test_a_small_job_waits_for_one_quantum_of_a_large_job(clock: Clock) -> None:
    """A small job waits for one quantum per large job; a large job waits for all of it."""
    admission = AdmissionController(1.0, 1, quantum=10, clock=clock)
    _do(admission, clock, 10, 1.0)
    large, small = admission.acquire(1000), admission.acquire(10)
    with pytest.raises(Overloaded):
        admission.acquire(11)
    large.release(is_done=False)
    small.release(is_done=False)
    assert admission.wait_seconds == 0.0


def test_min_concurrency_jobs_are_admitted_at_any_size(
    admission: AdmissionController, clock: Clock
) -> None:
    """Two large jobs are admitted, since they at most halve each other's speed."""
    _do(admission, clock, 1, 1.0)
    admission.acquire(100)
    admission.acquire(100)
    with pytest.raises(Overloaded):
        admission.acquire(100)


def test_without_throughput_the_delay_is_the_elapsed_time(
    admission: AdmissionController, clock: Clock
) -> None:
    """Before the first result, jobs are admitted until the first one takes too long."""
    for _ in range(10):
        admission.acquire(1)
    clock.now += 2.1
    with pytest.raises(Overloaded):
        admission.acquire(1)


def test_idle_time_does_not_lower_throughput(admission: AdmissionController, clock: Clock) -> None:
    """An idle hour does not change the estimate."""
    _do(admission, clock, 10, 1.0)
    clock.now += 3600
    admission.acquire(5)
    assert admission.wait_seconds == pytest.approx(0.5)


def test_a_stalled_job_raises_the_estimate(admission: AdmissionController, clock: Clock) -> None:
    """A model that has become slow is noticed before the next job ends."""
    _do(admission, clock, 10, 1.0)
    admission.acquire(5)
    before = admission.wait_seconds
    clock.now += 2.0
    assert admission.wait_seconds > 2 * before


def test_old_throughput_is_forgotten(admission: AdmissionController, clock: Clock) -> None:
    """After some seconds at another speed, the estimate follows it."""
    _do(admission, clock, 1, 1.0)
    for _ in range(100):
        _do(admission, clock, 1, 0.1)
    admission.acquire(1)
    assert admission.wait_seconds == pytest.approx(0.1, rel=0.01)


def test_dropped_jobs_do_not_count_as_throughput(
    admission: AdmissionController, clock: Clock
) -> None:
    """A dropped job frees its room, but does not raise the throughput estimate."""
    _do(admission, clock, 10, 1.0)
    large, small = admission.acquire(100), admission.acquire(5)
    large.release(is_done=False)
    assert admission.wait_seconds == pytest.approx(0.5)
    small.release(is_done=False)
    assert admission.wait_seconds == 0.0


def test_an_hour_of_dropped_jobs_is_soon_forgotten(
    admission: AdmissionController, clock: Clock
) -> None:
    """After an hour of dropped jobs, the retry time is short and the estimate recovers."""
    _do(admission, clock, 10, 0.1)
    slow = admission.acquire(1)
    for _ in range(3600):
        dropped = admission.acquire(1)
        clock.now += 1.0
        dropped.release(is_done=False)
    slow.release(is_done=True)
    works = [admission.acquire(1) for _ in range(2)]
    with pytest.raises(Overloaded) as refused:
        admission.acquire(1)
    assert refused.value.retry_after_seconds < 10.0
    for work in works:
        work.release(is_done=True)
    for _ in range(100):
        _do(admission, clock, 1, 0.01)
    admission.acquire(1)
    assert admission.wait_seconds < 0.05


def test_the_retry_time_is_limited(admission: AdmissionController, clock: Clock) -> None:
    """Throughput of small jobs misjudges large ones, so the retry time has a maximum."""
    _do(admission, clock, 1, 0.1)
    for _ in range(2):
        admission.acquire(1e6)
    with pytest.raises(Overloaded) as refused:
        admission.acquire(1)
    assert refused.value.retry_after_seconds == pytest.approx(3.0)


def test_rows_of_a_job_in_progress_count_as_throughput(clock: Clock) -> None:
    """Completed rows of a long job update the estimate before the job ends."""
    admission = AdmissionController(1.0, 0, quantum=10, row_size=1.0, clock=clock)
    large = admission.acquire(1000)
    for _ in range(50):
        clock.now += 0.1
        large.progress(10)
    assert admission.wait_seconds == pytest.approx(5.0, rel=0.01)
    clock.now += 0.1
    assert admission.wait_seconds == pytest.approx(5.0, rel=0.15)


def test_small_jobs_beside_large_jobs_are_admitted(clock: Clock) -> None:
    """Large jobs past their first quantum block other large jobs, but no small ones."""
    admission = AdmissionController(0.05, 0, quantum=100, row_size=1.0, clock=clock)
    works = [admission.acquire(100_000) for _ in range(2)]
    refused = 0
    for _ in range(100):
        clock.now += 0.05
        for large in works:
            large.progress(50)
        small = admission.acquire(20)
        refused += _is_refused(admission, 100_000)
        small.progress(20)
        small.release(is_done=True)
    assert refused == 100


def test_a_flood_of_small_jobs_beside_a_large_job_is_rejected(clock: Clock) -> None:
    """Small jobs still wait for each other."""
    admission = AdmissionController(0.05, 0, quantum=100, row_size=1.0, clock=clock)
    large = admission.acquire(100_000)
    clock.now += 0.1
    large.progress(200)
    taken = 0
    while not _is_refused(admission, 50):
        taken += 1
    assert 1 <= taken <= 5


def test_the_size_of_a_row_is_learned(clock: Clock) -> None:
    """The size of a row is learned from ended jobs; at most 90 % of a job count as done early."""
    admission = AdmissionController(1.0, 0, row_size=100.0, clock=clock)
    for _ in range(100):
        work = admission.acquire(10)
        clock.now += 0.1
        work.progress(100)
        work.release(is_done=True)
    work = admission.acquire(10)
    work.progress(50)
    assert work.done_size == pytest.approx(5.0, rel=0.01)
    work.progress(5000)
    assert work.done_size == pytest.approx(9.0)
    assert admission.wait_seconds == pytest.approx(0.01, rel=0.2)


def test_idle_time_between_long_jobs_does_not_count(clock: Clock) -> None:
    """An idle hour between two jobs does not make the second look slow."""
    admission = AdmissionController(1.0, 0, row_size=1.0, clock=clock)
    for _ in range(2):
        work = admission.acquire(100)
        clock.now += 1.0
        work.progress(50)
        assert admission.wait_seconds == pytest.approx(1.0)
        work.release(is_done=False)
        clock.now += 3600


def test_one_more_job_is_admitted_while_calm(clock: Clock) -> None:
    """Three jobs are admitted while nothing was rejected recently; two afterwards."""
    admission = AdmissionController(0.0, 2, spared_in_calm=3, clock=clock)
    _do(admission, clock, 1, 1.0)
    works = [admission.acquire(10) for _ in range(3)]
    assert _is_refused(admission)
    works[0].release(is_done=False)
    assert _is_refused(admission)
    clock.now += 1.1
    assert not _is_refused(admission)


def test_long_predictions_do_not_block_short_ones(clock: Clock) -> None:
    """Jobs larger than a quantum let others pass, so only one quantum counts."""
    admission = AdmissionController(0.1, 2, quantum=64, most_rows=64, clock=clock)
    long = [admission.acquire(1) for _ in range(2)]
    for _ in range(100):
        clock.now += 0.005
        for work in long:
            work.progress(20)  # 8,000 rows per second, without end
    for _ in range(16):
        admission.acquire(1)
    assert any(_is_refused(admission) for _ in range(100))


def test_predictions_are_assumed_to_have_the_average_size(clock: Clock) -> None:
    """Many predictions are admitted if past ones had few rows."""
    admission = AdmissionController(0.1, 2, quantum=64, most_rows=64, clock=clock)
    for _ in range(200):
        work = admission.acquire(1)
        clock.now += 0.001
        work.progress(4)
        work.release(is_done=True)
    taken = [admission.acquire(1) for _ in range(90)]
    assert len(taken) == 90


def _predictions(clock: Clock) -> AdmissionController:
    """Return a limit of one second, after 10,000 rows per second at 10 rows per prediction."""
    admission = AdmissionController(1.0, 0, quantum=64, most_rows=64, clock=clock)
    for _ in range(200):
        work = admission.acquire(1)
        clock.now += 0.001
        work.progress(10)
        work.release(is_done=True)
    return admission


def test_a_prediction_counts_the_tokens_of_its_history(clock: Clock) -> None:
    """Once its history is tokenized, a job counts with all announced rows until it ends."""
    admission = _predictions(clock)
    work = admission.acquire(1)
    assert admission.wait_seconds == pytest.approx(0.001, rel=0.01)
    work.expect(1000)
    assert admission.wait_seconds == pytest.approx(0.1, rel=0.01)
    work.expect(500)
    assert work.size == 1000
    for _ in range(5):
        clock.now += 0.01
        work.progress(100)
    assert admission.wait_seconds == pytest.approx(0.05, rel=0.1)
    work.release(is_done=True)
    assert admission.wait_seconds == 0.0


def test_a_long_history_behind_others_is_rejected(clock: Clock) -> None:
    """Ten histories of 1,000 tokens take one second; in a burst, 20 may be queued ahead."""
    admission = _predictions(clock)
    for _ in range(21):
        admission.acquire(1).expect(990)
    late = admission.acquire(1)
    with pytest.raises(Overloaded, match="21 requests") as refused:
        late.expect(1000)
    assert refused.value.retry_after_seconds == pytest.approx(2.08, rel=0.02)
    late.release(is_done=False)
    assert admission.wait_seconds == pytest.approx(2.08, rel=0.02)


def test_long_histories_do_not_block_short_ones(clock: Clock) -> None:
    """Short jobs wait for one quantum of each long job."""
    admission = _predictions(clock)
    for _ in range(21):
        admission.acquire(1).expect(990)
    admission.acquire(1).expect(64)
    assert not _is_refused(admission)


def test_long_histories_that_share_batches_are_admitted(clock: Clock) -> None:
    """A few concurrent jobs are admitted at any length."""
    admission = AdmissionController(0.0, 1, quantum=64, most_rows=64, spared_rows=4, clock=clock)
    _do(admission, clock, 1, 1.0)
    works = [admission.acquire(1, rows=2) for _ in range(2)]
    for work in works:
        work.expect(1000)
    assert _is_refused(admission)


def test_announced_rows_do_not_change_sizes_in_bytes(
    admission: AdmissionController, clock: Clock
) -> None:
    """If sizes are not counted in rows, the initial estimate is kept."""
    _do(admission, clock, 10, 1.0)
    work = admission.acquire(5)
    work.expect(1_000_000)
    assert work.size == 5
    assert admission.wait_seconds == pytest.approx(0.5)
