"""Jobs free memory as soon as they no longer need it, without garbage collection."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from tests.engine.jobs import Counting, Failing, Outcome, deep, finish_all, recording, wide

from wordgate.engine.admission import AdmissionController
from wordgate.engine.job import Job, Priority
from wordgate.lm.requests import ModelRequest


@pytest.fixture(autouse=True)
def _without_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_a_completed_job_is_freed_at_once() -> None:
    """A job is not part of a reference cycle."""
    scheduler = recording(admissions={Priority.NORMAL: AdmissionController(0.0, 1)})
    job = Job(Counting(), wide(8), Outcome(), Priority.NORMAL, size=1)
    gone = weakref.ref(job)
    scheduler.submit(job)
    del job
    finish_all(scheduler)
    assert gone() is None


def test_a_failed_job_is_freed_at_once() -> None:
    """The error of an inference, whose traceback refers to its jobs, is not kept by them."""
    scheduler = recording()
    job = Job(Failing(), wide(8), lambda result, error: None)
    gone = weakref.ref(job)
    scheduler.submit(job)
    del job
    finish_all(scheduler)
    assert gone() is None


def test_a_queued_job_does_not_keep_its_earlier_results() -> None:
    """Results that the task has used are freed while the job waits for its next batch."""
    made: list[weakref.ref[Any]] = []

    class Large:
        """A result."""

    class Model(Counting):
        def answer(self, request: ModelRequest) -> list[Any]:
            results = [Large() for _ in request]
            made.extend(map(weakref.ref, results))
            return results

    scheduler = recording()
    scheduler.submit(Job(Model(), deep(4, 3), Outcome()))
    assert scheduler.step()
    assert len(made) == 4
    assert not any(result() for result in made)
