"""Engine threads: futures, closing, cancellation."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest
from tests.fake_model import FakeModel

from wordgate.engine.admission import AdmissionController
from wordgate.engine.executor import EngineExecutor
from wordgate.engine.job import Job, Priority
from wordgate.engine.scheduler import Scheduler
from wordgate.engine.scheduler_policy import SchedulerPolicy
from wordgate.errors import DeadlineExceeded, Overloaded, Unavailable
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import ModelRequest, ModelTask, Step

LEVELS = AdaptiveSoftmaxLayout((9,))
_PATIENCE = 30.0


class Gate(FakeModel):
    """A model that blocks until its gate is open, and signals requests."""

    def __init__(self) -> None:
        super().__init__(LEVELS, FakeModel.random(LEVELS, 0).probabilities)
        self.asked = threading.Event()
        self.open = threading.Event()
        self.sizes: list[int] = []

    def answer(self, request: ModelRequest) -> list[Any]:
        """Wait for the gate, then answer."""
        self.sizes.append(len(request))
        self.asked.set()
        assert self.open.wait(_PATIENCE)
        return super().answer(request)


@pytest.fixture
def model() -> Gate:
    """A model with a closed gate."""
    return Gate()


@pytest.fixture
def thread(model: Gate) -> Iterator[EngineExecutor]:
    """A running engine."""
    engine = EngineExecutor(Scheduler(SchedulerPolicy(max_queued_rows=100)))
    yield engine
    model.open.set()
    engine.close()


def _advance(rows: int, questions: int = 1) -> ModelTask[list[int]]:
    states = [0] * rows
    for token in range(questions):
        states = yield Step([(state, token + 1) for state in states])
    return states


def test_a_future_has_the_result_of_its_generator(model: Gate, thread: EngineExecutor) -> None:
    """The return value of a generator is the result of its future."""
    model.open.set()
    assert thread.submit(model, _advance(2, 3)).result(_PATIENCE) == [3, 3]


def test_jobs_that_arrive_during_an_inference_share_the_next_batch(
    model: Gate, thread: EngineExecutor
) -> None:
    """Jobs submitted while the model is busy are batched, without a timer."""
    first = thread.submit(model, _advance(1))
    assert model.asked.wait(_PATIENCE)
    rest = [thread.submit(model, _advance(2)) for _ in range(3)]
    model.open.set()
    for future in (first, *rest):
        future.result(_PATIENCE)
    assert model.sizes == [1, 2 + 2 + 2]


def test_a_cancelled_future_does_not_affect_others_in_its_batch(
    model: Gate, thread: EngineExecutor
) -> None:
    """A job cancelled during its inference gets no further one; others complete."""
    unwanted = thread.submit(model, _advance(1, 5))
    assert model.asked.wait(_PATIENCE)
    other = thread.submit(model, _advance(1, 2))
    assert unwanted.cancel()
    model.open.set()
    assert other.result(_PATIENCE) == [2]
    with pytest.raises(CancelledError):
        unwanted.result(_PATIENCE)
    assert sum(model.sizes) == 3


def test_an_expired_deadline_is_an_error(model: Gate, thread: EngineExecutor) -> None:
    """The future of an expired job has a `DeadlineExceeded` error."""
    model.open.set()
    with pytest.raises(DeadlineExceeded):
        thread.submit(model, _advance(1), deadline=0.0).result(_PATIENCE)


def test_overload_is_an_error_of_the_future(model: Gate, thread: EngineExecutor) -> None:
    """Jobs are rejected while too many rows are queued; accepted jobs complete."""
    busy = thread.submit(model, _advance(64))
    assert model.asked.wait(_PATIENCE)
    taken = thread.submit(model, _advance(100))
    refused = thread.submit(model, _advance(1))
    model.open.set()
    with pytest.raises(Overloaded):
        refused.result(_PATIENCE)
    assert len(busy.result(_PATIENCE)) == 64
    assert len(taken.result(_PATIENCE)) == 100


def test_admission_control_rejects_a_job_on_submission(model: Gate) -> None:
    """`submit_job` raises at once, before an engine thread sees the job."""
    engine = EngineExecutor(Scheduler(admissions={Priority.NORMAL: AdmissionController(0.0, 1)}))
    told: list[object] = []

    def job() -> Job:
        return Job(model, _advance(1), lambda *end: told.append(end), Priority.NORMAL, size=1)

    try:
        engine.submit_job(job())
        assert model.asked.wait(_PATIENCE)
        with pytest.raises(Overloaded):
            engine.submit_job(job())
        assert told == []
    finally:
        model.open.set()
        engine.close()
    assert len(told) == 1


def test_an_error_does_not_end_the_engine_thread(thread: EngineExecutor) -> None:
    """The next job completes after a failure."""
    broken, whole = Gate(), Gate()
    broken.open.set()
    whole.open.set()
    with pytest.raises(IndexError):
        thread.submit(broken, _fails()).result(_PATIENCE)
    assert thread.submit(whole, _advance(1)).result(_PATIENCE) == [1]


def _fails() -> ModelTask[None]:
    yield Step([(0, 1)])
    raise IndexError("a bug")


def test_batches_run_concurrently() -> None:
    """While one thread waits for its model, another runs a second batch."""
    gates = [Gate(), Gate()]
    engine = EngineExecutor(Scheduler(SchedulerPolicy(max_rows=4)), threads=2)
    futures = [engine.submit(gate, _advance(4, 3)) for gate in gates]
    assert all(gate.asked.wait(_PATIENCE) for gate in gates)
    for gate in gates:
        gate.open.set()
    assert [future.result(_PATIENCE) for future in futures] == [[3] * 4] * 2
    engine.close()


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    """Many jobs on several threads have the results of one thread; `close` waits for all."""
    model = Gate()
    model.open.set()
    engine = EngineExecutor(Scheduler(SchedulerPolicy(max_rows=8)), threads=4)
    futures = [engine.submit(model, _advance(1 + n % 7, 1 + n % 5)) for n in range(200)]
    engine.close()
    assert [future.result(0) for future in futures] == [
        [1 + n % 5] * (1 + n % 7) for n in range(200)
    ]


def test_closing_finishes_accepted_jobs(model: Gate) -> None:
    """Jobs in progress complete before the threads stop; new jobs are rejected."""
    thread = EngineExecutor(Scheduler())
    taken = [thread.submit(model, _advance(1, 4)) for _ in range(3)]
    assert model.asked.wait(_PATIENCE)
    closing = threading.Thread(target=thread.close)
    closing.start()
    model.open.set()
    closing.join(_PATIENCE)
    assert not closing.is_alive()
    assert [future.result(0) for future in taken] == [[4]] * 3
    with pytest.raises(Unavailable):
        thread.submit(model, _advance(1))
    thread.close()
