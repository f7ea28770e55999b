"""Jobs of the scheduler: a generator of model requests, its priority and its progress."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from time import monotonic
from typing import Any, Protocol

from wordgate.engine.admission import AdmittedWork
from wordgate.errors import Cancelled, DeadlineExceeded
from wordgate.lm.requests import Model, ModelRequest, ModelTask, Prefill, Step


class Priority(Enum):
    """Priorities from highest to lowest: a user types, a program waits, spare capacity only."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BATCH = "batch"

    __hash__ = object.__hash__  # Enum's own is a Python function


class DropReason(Enum):
    """Reason for dropping a job before its end."""

    CANCELLED = "cancelled"
    DEADLINE = "deadline"


class JobObserver(Protocol):
    """Receives the events of one job, from the engine thread that runs it."""

    def resumed(self) -> None:
        """Record that the job starts, or continues with the results of its request."""
        ...

    def requested(self, request: ModelRequest | Prefill) -> None:
        """Record a model request of the job."""
        ...


@dataclass(eq=False, slots=True, weakref_slot=True)
class Job:
    """A scheduled generator, with its current request and the results received for it so far.

    - `done`: called once, with the result or the error.
    - `deadline`: a time of `time.monotonic`.
    - `cancelled`: returns whether to drop the job before its next batch.
    - `admitted`: bypass overload protection, for jobs of an accepted session.
    - `size`: amount of work relative to other jobs of this priority, in any unit; 0 bypasses
      admission control.
    - `parallel_rows`: approximate rows per request.

    The other fields belong to the scheduler: `level` is the queue level, `slice_rows` counts the
    rows completed in this time slice, `done_rows` all rows; `part` is the part of the request that
    is in a batch.
    """

    model: Model
    task: ModelTask[Any]
    done: Callable[[Any, BaseException | None], None]
    priority: Priority = Priority.INTERACTIVE
    deadline: float | None = None
    cancelled: Callable[[], bool] = lambda: False
    admitted: bool = False
    size: float = 0.0
    parallel_rows: int = 1
    observer: JobObserver | None = None
    submitted_at: float = field(default_factory=monotonic)
    admitted_work: AdmittedWork | None = None
    started: bool = False
    scheduled: bool = False
    level: int = 0
    slice_rows: int = 0
    done_rows: int = 0
    request: ModelRequest = field(default_factory=Step)
    results: list[Any] = field(default_factory=list)
    prefill: Prefill | None = None
    part: ModelRequest = field(default_factory=Step)
    part_results: "list[Any] | Exception" = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows of the current request without a result; 1 before the first request."""
        return len(self.request) - len(self.results) if self.started else 1

    def run(self) -> bool:
        """Run to the next model request. Return True there, False at the end of the job."""
        results, self.results = self.results, []
        observer = self.observer
        try:
            if observer is not None:
                observer.resumed()
            request = self.task.send(results if self.started else None)
            self.started = True
            self._expect(request)
            if observer is not None:
                observer.requested(request)
        except StopIteration as stop:
            self.done(stop.value, None)
            return False
        except BaseException as error:  # noqa: BLE001  passed to the owner of the job
            self.fail(as_exception(error))
            return False
        return True

    def _expect(self, request: ModelRequest | Prefill) -> None:
        """Make a request the current one. Raises `Overloaded` for too long a prefill."""
        if isinstance(request, Prefill):
            if self.admitted_work is not None and len(request) > 1:
                self.admitted_work.expect(len(request))
            self.prefill, self.request = request, request.step()
        else:
            self.prefill, self.request = None, request

    def advance_prefill(self) -> bool:
        """Take the result of a prefill's step; return whether another step follows."""
        prefill = self.prefill
        if prefill is None:
            return False
        step = prefill.advance(self.results[0])
        if step is None:
            self.results = [prefill.state]
            return False
        self.results, self.request = [], step
        return True

    def count_done(self, rows: int) -> None:
        """Count completed rows, or the charge for a yield."""
        self.slice_rows += rows
        self.done_rows += rows
        if self.admitted_work is not None:
            self.admitted_work.progress(rows)

    def drop_reason(self, now: float) -> tuple[DropReason, Exception] | None:
        """Return the reason to drop the job and the error for its owner, or None."""
        if self.cancelled():
            return DropReason.CANCELLED, Cancelled("request cancelled")
        if self.deadline is not None and now >= self.deadline:
            return DropReason.DEADLINE, DeadlineExceeded(
                "deadline exceeded before the result was ready"
            )
        return None

    def fail(self, error: Exception) -> None:
        """End the job with an error."""
        self.task.close()
        self.done(None, error)


def as_exception(error: BaseException) -> Exception:
    """Wrap an error that is not an `Exception`, such as a panic of a Rust library."""
    if isinstance(error, Exception):
        return error
    wrapped = RuntimeError(type(error).__name__)
    wrapped.__cause__ = error
    return wrapped
