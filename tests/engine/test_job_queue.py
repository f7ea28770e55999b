"""The queues: priorities, levels, fair shares and time slices."""

import pytest
from tests.engine.jobs import Counting, deep, finish_all, recording, submit, wide

from wordgate.engine.job import Priority
from wordgate.lm.requests import (
    YIELD,
    ModelTask,
    Step,
)


def test_a_job_keeps_running_within_its_time_slice() -> None:
    """Jobs that fill batches run one after the other, so few are in progress."""
    model, scheduler = Counting(), recording(max_rows=8)
    outcomes = [submit(scheduler, model, deep(8, 5), priority=Priority.NORMAL)[1] for _ in range(3)]
    done = []
    for _ in range(15):
        scheduler.step()
        done.append([outcome.calls for outcome in outcomes])
    assert done[4] == [1, 0, 0]
    assert done[9] == [1, 1, 0]
    assert done[14] == [1, 1, 1]


def test_a_time_slice_ends() -> None:
    """A job with very many requests lets others run."""
    model, scheduler = Counting(), recording(max_rows=64)
    submit(scheduler, model, deep(64, 1000))
    _, small = submit(scheduler, model, deep(64, 2))
    for _ in range(20):
        scheduler.step()
    assert small.calls == 1


def test_a_small_request_does_not_wait_for_a_large_one() -> None:
    """A small job behind a large one of its priority ends in the second round."""
    model, scheduler = Counting(), recording(max_rows=8)
    submit(scheduler, model, wide(100))
    _, small = submit(scheduler, model, wide(1))
    scheduler.step()
    scheduler.step()
    assert small.calls == 1


def test_interactive_jobs_go_first_but_leave_bulk_jobs_a_share() -> None:
    """Interactive rows fill a batch except for a quarter that is reserved for bulk jobs."""
    model, scheduler = Counting(), recording(max_rows=8)
    submit(scheduler, model, wide(20), priority=Priority.NORMAL)
    submit(scheduler, model, wide(20))
    finish_all(scheduler)
    assert model.sizes[:3] == [[6, 2]] * 3
    assert sum(map(sum, model.sizes)) == 40


@pytest.mark.parametrize("priority", Priority)
def test_a_priority_alone_has_the_whole_batch(priority: Priority) -> None:
    """No rows are reserved for priorities without jobs."""
    model, scheduler = Counting(), recording(max_rows=8)
    submit(scheduler, model, wide(16), priority=priority)
    finish_all(scheduler)
    assert model.sizes == [[8], [8]]


def test_batch_jobs_have_the_rows_left_and_a_share() -> None:
    """A quarter of the rows that interactive jobs leave is reserved for batch jobs."""
    model, scheduler = Counting(), recording(max_rows=16)
    submit(scheduler, model, wide(100), priority=Priority.BATCH)
    submit(scheduler, model, wide(24), priority=Priority.NORMAL)
    finish_all(scheduler)
    assert model.sizes[:3] == [[12, 4], [12, 4], [16]]
    assert sum(map(sum, model.sizes)) == 124


def test_short_jobs_go_before_long_jobs() -> None:
    """Jobs with thousands of completed rows leave the next batches to a short job."""
    model, scheduler = Counting(), recording(max_rows=64)
    for _ in range(2):
        submit(scheduler, model, deep(500, 1000), priority=Priority.NORMAL)
    for _ in range(100):
        scheduler.step()
    _, small = submit(scheduler, model, deep(5, 20), priority=Priority.NORMAL)
    model.sizes.clear()
    rounds = 0
    while not small.calls:
        scheduler.step()
        rounds += 1
    assert rounds <= 21
    assert all(sum(sizes) <= 5 + 16 for sizes in model.sizes[1:])


def test_predictions_with_few_completed_rows_go_first() -> None:
    """A prediction does not wait for sessions with many rows, however many there are."""
    model, scheduler = Counting(), recording()
    for _ in range(100):
        submit(scheduler, model, deep(2, 2000), admitted=True)
    for _ in range(500):
        scheduler.step()
    _, outcome = submit(scheduler, model, deep(2, 5))
    for _ in range(8):
        scheduler.step()
    assert outcome.calls == 1


def test_few_of_the_longest_searches_are_in_progress() -> None:
    """Long searches use memory per row, so others wait until the first ones end."""
    model, scheduler = Counting(), recording()
    jobs = [submit(scheduler, model, deep(2, 2000), admitted=True)[0] for _ in range(50)]
    for _ in range(3000):
        scheduler.step()
        assert sum(512 < job.done_rows < 4000 for job in jobs) <= 4
    assert all(job.done_rows >= 512 for job in jobs)


def test_long_jobs_keep_a_share_while_short_jobs_fill_batches() -> None:
    """A long job ends even if short jobs keep arriving."""
    model, scheduler = Counting(), recording(max_rows=64)
    _, long = submit(scheduler, model, deep(64, 40), priority=Priority.NORMAL)
    for _ in range(35):
        scheduler.step()
    for _ in range(40):
        submit(scheduler, model, wide(64), priority=Priority.NORMAL)
        scheduler.step()
    assert long.calls == 1


def test_a_yield_does_not_end_a_time_slice() -> None:
    """A job that yields during tokenization is not moved to the back of the queue."""

    def works() -> ModelTask[None]:
        for _ in range(3):
            yield YIELD
        yield from deep(64, 2)

    model, scheduler = Counting(), recording(max_rows=64)
    outcomes = [submit(scheduler, model, works(), priority=Priority.NORMAL)[1] for _ in range(8)]
    order: list[int] = []
    while scheduler.step():
        order += [n for n, outcome in enumerate(outcomes) if outcome.calls and n not in order]
    order += [n for n in range(8) if n not in order]
    assert order == list(range(8))


def test_batch_jobs_run_one_after_the_other() -> None:
    """Few batch jobs are in progress at a time, which saves memory."""
    model, scheduler = Counting(), recording(max_rows=8)
    jobs = [submit(scheduler, model, wide(20), priority=Priority.BATCH)[1] for _ in range(3)]
    done = []
    for _ in range(8):
        scheduler.step()
        done.append([outcome.calls for outcome in jobs])
    assert done[2] == [1, 0, 0]
    assert done[-1] == [1, 1, 1]


def test_bulk_jobs_have_the_rows_left_by_interactive_jobs() -> None:
    """Unused interactive rows go to bulk jobs, beyond their reserved share."""
    model, scheduler = Counting(), recording(max_rows=8)
    submit(scheduler, model, wide(20), priority=Priority.NORMAL)
    submit(scheduler, model, wide(1))
    scheduler.step()
    assert model.sizes == [[1, 7]]


def test_bulk_rows_are_limited_beside_interactive_jobs() -> None:
    """A large batch would delay interactive requests that arrive meanwhile."""
    model, scheduler = Counting(), recording(max_rows=64)
    submit(scheduler, model, wide(100), priority=Priority.NORMAL)
    scheduler.step()
    submit(scheduler, model, wide(2))
    scheduler.step()
    assert model.sizes == [[64], [2, 16]]


def test_a_job_that_yields_lets_others_go_first() -> None:
    """A job that yields is resumed once per round, after the results of that round."""
    seen: list[str] = []

    def works() -> ModelTask[None]:
        for _ in range(20):
            seen.append("work")
            yield YIELD

    def types() -> ModelTask[None]:
        for token in range(4):
            yield Step([(-1, token)])
            seen.append("key")

    model, scheduler = Counting(), recording()
    submit(scheduler, model, works(), priority=Priority.NORMAL)
    submit(scheduler, model, types())
    finish_all(scheduler)
    assert seen[:9] == ["work", *(["key", "work"] * 4)]


def test_few_yielding_jobs_are_resumed_per_round() -> None:
    """Many CPU-bound jobs do not add up, and other jobs get rows meanwhile."""
    worked = 0

    def works() -> ModelTask[None]:
        nonlocal worked
        for _ in range(5):
            yield YIELD
            worked += 1

    model, scheduler = Counting(), recording(max_rows=64)
    for _ in range(30):
        submit(scheduler, model, works(), priority=Priority.NORMAL)
    submit(scheduler, model, wide(200))
    scheduler.step()
    assert (model.sizes, worked) == ([[48, 0]], 1)
    finish_all(scheduler)
    assert worked == 150


def test_yielding_jobs_leave_batch_jobs_a_share() -> None:
    """Yields of higher priorities do not use up the rows reserved for batch jobs."""

    def works() -> ModelTask[None]:
        while True:
            yield YIELD

    model, scheduler = Counting(), recording()
    submit(scheduler, model, works(), priority=Priority.NORMAL)
    _, batch = submit(scheduler, model, wide(64), priority=Priority.BATCH)
    for _ in range(20):
        submit(scheduler, model, wide(60))
        scheduler.step()
    assert batch.calls == 1


def test_many_cancelled_jobs_are_dropped_at_once() -> None:
    """Cancelling half of a long queue costs a few checks per job, and the rest completes."""
    unwanted, checks = False, 0

    def is_unwanted() -> bool:
        nonlocal checks
        checks += 1
        return unwanted

    model, scheduler = Counting(), recording(max_queued_rows=100_000)
    kept = []
    for _ in range(20_000):
        submit(scheduler, model, wide(1), cancelled=is_unwanted)
        kept.append(submit(scheduler, model, wide(1))[1])
    unwanted = True
    checks = 0
    batch = scheduler.schedule()
    assert checks < 3 * 20_000
    assert scheduler.jobs == 20_000 - 64
    batch.run()
    scheduler.complete(batch)
    finish_all(scheduler)
    assert all(outcome.calls == 1 and outcome.error is None for outcome in kept)


def test_queueing_delay_is_reported_once_per_job() -> None:
    """The delay ends when the first row of a job is in a batch."""
    waits: list[Priority] = []
    scheduler = recording(max_rows=8, waited=lambda priority, seconds: waits.append(priority))
    model = Counting()
    submit(scheduler, model, deep(20, 3))
    submit(scheduler, model, deep(20, 3), priority=Priority.BATCH)
    finish_all(scheduler)
    assert sorted(waits, key=lambda each: each.value) == [Priority.BATCH, Priority.INTERACTIVE]
