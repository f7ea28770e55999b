"""The threads on which a scheduler runs.

Knows threads and futures; does not know what the work is. The scheduler, the generators and the
state caches are touched by one of these threads at a time, models by all; others hand work in and
get a future back. onnxruntime releases the interpreter's lock while it computes.
"""

import threading
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

from wordgate.engine.scheduler import Batch, Job, Priority, Scheduler
from wordgate.errors import Unavailable, WordgateError
from wordgate.lm.requests import Model, ModelTask

T = TypeVar("T")

DEFAULT_ENGINE_THREADS = 2
"""Model calls made at once; see docs/performance.md for what more of them give."""


class EngineExecutor:
    """Runs generators against models until it is closed.

    `calls` is how many batches are answered at the same time, each by a thread of its own. They
    take turns at the scheduler: whoever has an answer hands it out and takes the next batch.
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
        urgency: Priority = Priority.INTERACTIVE,
        deadline: float | None = None,
        *,
        admitted: bool = False,
    ) -> "Future[T]":
        """Run a generator; the future has its result or its error. May be called by any thread.

        Cancelling the future drops the work before the next call. `deadline` is a moment of
        `time.monotonic`; `admitted` work is never refused as too much. Raises `Unavailable` after
        `close`.
        """
        future: Future[T] = Future()
        job = Job(
            model, asks, _settle(future), urgency, deadline, future.cancelled, admitted=admitted
        )
        self.take(job)
        return future

    def take(self, job: Job) -> None:
        """Run a job, which says itself who is told of its end, by one of these threads.

        As `submit` else. Raises `Overloaded` for one that would wait too long.
        """
        with self._wake:
            if self._closing:
                raise Unavailable("the engine is stopping; ask another replica")
            self._scheduler.admit(job)
            self._arrived.append(job)
            self._wake.notify()

    def close(self) -> None:
        """Finish what was taken, then stop the threads."""
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
        """Hand out what was answered, and take what is next."""
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
        """Until there is something to do; False when there never will be again."""
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
    def done(result: Any, error: BaseException | None) -> None:
        try:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
        except InvalidStateError:
            return  # cancelled by its owner, who waits no more

    return done
