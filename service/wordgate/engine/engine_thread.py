"""The one thread on which a scheduler runs.

Knows threads and futures; does not know what the work is. The scheduler, the generators and the
state caches belong to this thread alone; others hand work in and get a future back. onnxruntime
releases the interpreter's lock while it computes.
"""

import threading
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

from wordgate.core.asks import Asks, Model
from wordgate.engine.scheduler import Job, Scheduler, Urgency
from wordgate.errors import Unavailable, WordgateError

T = TypeVar("T")


class EngineThread:
    """Runs generators against models until it is closed."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._arrived: list[Job] = []
        self._closing = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="wordgate-engine", daemon=True)
        self._thread.start()

    def submit(
        self,
        model: Model,
        asks: Asks[T],
        urgency: Urgency = Urgency.INTERACTIVE,
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
        with self._wake:
            if self._closing:
                raise Unavailable("the engine is stopping; ask another replica")
            self._arrived.append(job)
            self._wake.notify()
        return future

    def close(self) -> None:
        """Finish what was taken, then stop the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not (self._arrived or self._scheduler.jobs or self._closing):
                    self._wake.wait()
                if self._closing and not (self._arrived or self._scheduler.jobs):
                    return
                arrived, self._arrived = self._arrived, []
            for job in arrived:
                self._add(job)
            self._scheduler.step()

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
