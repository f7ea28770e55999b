"""State shared by all servicers: the models, the engine, the limits, whether the server drains."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Protocol, Self, TypeVar

from wordgate.engine.executor import EngineExecutor
from wordgate.engine.job import Job, Priority
from wordgate.engine.loaded_model import ServedModel
from wordgate.errors import Overloaded
from wordgate.lm.requests import ModelTask
from wordgate.protocol.limits import Limits, check_bytes
from wordgate.server.models.registry import Registry
from wordgate.server.security.authentication import Principal, current_principal
from wordgate.server.services.job_accounts import JobAccounts
from wordgate.server.services.loop_bridge import Handover
from wordgate.server.telemetry.metrics import Metrics
from wordgate.server.telemetry.tracing import work_span

T = TypeVar("T")


class Deadline(Protocol):
    """The deadline of a call; implemented by grpc's context."""

    def time_remaining(self) -> float | None:
        """Return the seconds until the deadline; None if there is none."""
        ...


@dataclass(frozen=True)
class ServingContext:
    """The parts of a running server that servicers need."""

    models: Registry
    engine: EngineExecutor
    limits: Limits
    metrics: Metrics
    device: str
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    handover: Handover = field(default_factory=Handover)
    caller: Principal | None = None

    def model(self, name: str) -> ServedModel:
        """Return the model that a request names. Raises `InvalidInput` and `ModelNotFound`."""
        check_bytes("model", name, self.limits.max_model_bytes)
        model = self.models.get(name)
        caller = self._caller
        namespace = caller.token.cache_namespace if caller else None
        return model.namespaced(namespace) if namespace else model

    def for_caller(self) -> Self:
        """Return a copy bound to the current principal, for use from other tasks."""
        caller = current_principal.get()
        return replace(self, caller=caller) if caller else self

    def start(
        self,
        model: ServedModel,
        task: ModelTask[T],
        priority: Priority,
        call: Deadline | None = None,
        *,
        admitted: bool = False,
        size: float = 0.0,
        parallel_rows: int = 1,
        expansions_of: Callable[[T], int] | None = None,
    ) -> "asyncio.Future[T]":
        """Schedule a task on the engine until its result, the call's deadline or cancellation.

        Cancelling the future drops the work. `admitted`: skip admission control, for sessions that
        were already admitted; only the quota of their token applies. `size` and `parallel_rows`:
        cost of the request relative to others of its priority, for the estimate of its queueing
        delay. `expansions_of`: for a search, returns the expansions of its result. The future
        raises the errors of the task, `Overloaded` and `DeadlineExceeded`. Raises `Unavailable`.
        """
        seconds = call.time_remaining() if call else None
        deadline = None if seconds is None else monotonic() + seconds
        future: asyncio.Future[T] = self.handover.future()
        caller = self._caller
        usage = None
        if caller is not None and caller.token.quota.rows_per_second is not None:
            usage = caller.usage
        span = work_span(future, priority)
        accounts = JobAccounts(
            self.handover, future, self.metrics, priority, usage, span, expansions_of
        )
        job = Job(
            model.network,
            task,
            accounts.done,
            priority,
            deadline,
            future.cancelled,
            admitted=admitted,
            size=size,
            parallel_rows=parallel_rows,
            observer=accounts,
        )
        try:
            if usage is not None:
                usage.check_rows()
            self.engine.submit_job(job)
        except Overloaded as error:
            task.close()
            future.set_exception(error)
        return future

    @property
    def _caller(self) -> Principal | None:
        return self.caller or current_principal.get()
