"""Engine threads, which run a scheduler and its inferences.

Only one engine thread at a time uses the scheduler, the generators and the state caches; all use
models concurrently. Other threads submit jobs and receive futures. onnxruntime releases the GIL
during inference.
"""

import threading
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

from wordgate.engine.scheduler import Batch, Job, Priority, Scheduler
from wordgate.errors import Unavailable, WordgateError
from wordgate.lm.requests import Model, ModelTask

T = TypeVar("T")

DEFAULT_ENGINE_THREADS = 2
"""Concurrent inferences; docs/performance.md has measurements for other values."""


class EngineExecutor:
    """A thread pool that runs generators against models until it is closed.

    `calls` is the number of threads, each of which runs one batch at a time. A thread locks the
    scheduler to return the results of its batch and to take the next one.
    """

    def __init__(self, scheduler: Scheduler, calls: int = 1) -> None:
        self._scheduler = scheduler
        self._turn = threading.Lock()
        self._arrived: list[Job] = []
        self._left_over = False
        self._closing = False
        self._wake = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, name=f"wordgate-engine-{number}", daemon=True)
            for number in range(calls)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        model: Model,
        asks: ModelTask[T],
        priority: Priority = Priority.INTERACTIVE,
        deadline: float | None = None,
        *,
        admitted: bool = False,
    ) -> "Future[T]":
        """Schedule a generator; return a future with its result or error. Thread-safe.

        Cancelling the future drops the job before its next inference. `deadline` is a time of
        `time.monotonic`. `admitted` jobs bypass overload protection. Raises `Unavailable` after
        `close`, and `Overloaded`.
        """
        future: Future[T] = Future()
        job = Job(
            model, asks, _settle(future), priority, deadline, future.cancelled, admitted=admitted
        )
        self.take(job)
        return future

    def take(self, job: Job) -> None:
        """Schedule a job, which has its own completion callback. Thread-safe.

        Raises `Unavailable` after `close`, and `Overloaded` if the job would wait too long.
        """
        with self._wake:
            if self._closing:
                raise Unavailable("engine shutting down; retry on another replica")
            self._scheduler.admit(job)
            self._arrived.append(job)
            self._wake.notify()

    def close(self) -> None:
        """Finish all accepted jobs, then stop the threads."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        batch = Batch([])
        while self._wait(unless=bool(batch)):
            batch = self._exchange(batch)
            batch.ask()

    def _exchange(self, answered: Batch) -> Batch:
        """Return the results of a batch to its jobs and take the next batch."""
        with self._turn:
            self._scheduler.postprocess(answered)
            with self._wake:
                arrived, self._arrived = self._arrived, []
            for job in arrived:
                self._add(job)
            batch = self._scheduler.take()
            if self._scheduler.jobs:
                with self._wake:
                    self._left_over = True
                    self._wake.notify()
            return batch

    def _wait(self, unless: bool) -> bool:
        """Wait for work, except with `unless`. Return False once closed and idle."""
        with self._wake:
            while not (unless or self._arrived or self._left_over):
                if self._closing:
                    return False
                self._wake.wait()
            if not unless:
                self._left_over = False
            return True

    def _add(self, job: Job) -> None:
        try:
            self._scheduler.add(job)
        except WordgateError as error:
            job.asks.close()
            job.done(None, error)


def _settle(future: "Future[Any]") -> Any:
    """Return a completion callback that sets the future's result or error."""

    def done(result: Any, error: BaseException | None) -> None:
        try:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
        except InvalidStateError:
            return  # already cancelled

    return done
