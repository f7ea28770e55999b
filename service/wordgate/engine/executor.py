"""Engine threads, which run the rounds of a scheduler.

Other threads submit jobs and receive futures. onnxruntime releases the GIL during inference.
"""

import threading
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

from wordgate.engine.job import Job, Priority
from wordgate.engine.scheduler import Scheduler
from wordgate.errors import Unavailable
from wordgate.lm.requests import Model, ModelTask

T = TypeVar("T")

DEFAULT_ENGINE_THREADS = 2
"""Concurrent inferences; docs/performance.md has measurements for other values."""


class EngineExecutor:
    """A thread pool that runs generators against models until it is closed.

    Each of its threads runs one batch at a time.
    """

    def __init__(self, scheduler: Scheduler, threads: int = 1) -> None:
        self._scheduler = scheduler
        self._closing = False
        self._wake = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, name=f"wordgate-engine-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        model: Model,
        task: ModelTask[T],
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
            model, task, _settle(future), priority, deadline, future.cancelled, admitted=admitted
        )
        self.submit_job(job)
        return future

    def submit_job(self, job: Job) -> None:
        """Schedule a job, which has its own completion callback. Thread-safe.

        Raises `Unavailable` after `close`, and `Overloaded` if the job would wait too long.
        """
        with self._wake:
            if self._closing:
                raise Unavailable("engine shutting down; retry on another replica")
            self._scheduler.submit(job)
            self._wake.notify()

    def close(self) -> None:
        """Finish all accepted jobs, then stop the threads."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while self._wait():
            while self._scheduler.step(self._wake_another):
                pass

    def _wait(self) -> bool:
        """Wait for work. Return False once closed and idle."""
        with self._wake:
            while not self._scheduler.has_work:
                if self._closing:
                    return False
                self._wake.wait()
            return True

    def _wake_another(self) -> None:
        with self._wake:
            self._wake.notify()


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
