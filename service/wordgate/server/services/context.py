"""What all servicers share: the models, the engine, the limits, whether the server is draining.

Knows how to have a generator run for a call; does not know what it computes.
"""

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import Protocol, Self, TypeVar

from wordgate.engine.executor import EngineExecutor
from wordgate.engine.loaded_model import ServedModel
from wordgate.engine.scheduler import Job, Priority
from wordgate.errors import Overloaded
from wordgate.lm.requests import ModelTask
from wordgate.protocol.limits import Limits, check_bytes
from wordgate.server.models.registry import Registry
from wordgate.server.security.authentication import Principal, current_principal
from wordgate.server.services.loop_bridge import Handover
from wordgate.server.telemetry.metrics import Metrics
from wordgate.server.telemetry.tracing import work_span

T = TypeVar("T")


class Deadline(Protocol):
    """A call, as far as its deadline goes."""

    def time_remaining(self) -> float | None:
        """Seconds until the caller stops waiting; None when it waits for ever."""
        ...


@dataclass(frozen=True)
class ServingContext:
    """The parts of a running server that a call needs."""

    models: Registry
    engine: EngineExecutor
    limits: Limits
    metrics: Metrics
    device: str
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    handover: Handover = field(default_factory=Handover)
    caller: Principal | None = None

    def model(self, name: str) -> ServedModel:
        """The model that a request names. Raises `InvalidInput` and `ModelNotFound`."""
        check_bytes("model", name, self.limits.max_model_bytes)
        model = self.models.get(name)
        caller = self._caller
        return model.salted(caller.token.salt) if caller and caller.token.salt else model

    def for_caller(self) -> Self:
        """The same for whom the running call is answered, whichever task uses it later."""
        caller = current_principal.get()
        return replace(self, caller=caller) if caller else self

    def start(
        self,
        model: ServedModel,
        asks: ModelTask[T],
        urgency: Priority,
        call: Deadline | None = None,
        *,
        admitted: bool = False,
        size: float = 0.0,
        rows_at_once: int = 1,
    ) -> "asyncio.Future[T]":
        """Have a generator run until its result, the call's deadline or its cancellation.

        Cancelling the future drops the work. `admitted`: a session that was let in is not refused
        later, unless its caller's quota is used up. `size` and `rows_at_once`: how much it is
        beside other requests of its urgency; it is refused if it would wait too long for them. The
        future raises what the generator raises, `Overloaded` and `DeadlineExceeded`. Raises
        `Unavailable`.
        """
        seconds = call.time_remaining() if call else None
        deadline = None if seconds is None else monotonic() + seconds
        counted = self.metrics.counted(asks, urgency)
        future: asyncio.Future[T] = self.handover.future()
        caller = self._caller
        is_counted = caller is not None and caller.token.quota.rows_per_second is not None
        if caller and is_counted:
            counted = caller.usage.paid(counted)
        job = Job(
            model.network,
            work_span(counted, future, urgency),
            partial(self.handover.settle, future),
            urgency,
            deadline,
            future.cancelled,
            admitted=admitted,
            size=size,
            rows_at_once=rows_at_once,
        )
        try:
            if caller and is_counted:
                caller.usage.check_rows()
            self.engine.take(job)
        except Overloaded as error:
            job.asks.close()
            future.set_exception(error)
        return future

    @property
    def _caller(self) -> Principal | None:
        return self.caller or current_principal.get()
