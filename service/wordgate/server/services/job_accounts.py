"""Account for a job's model rows in metrics, quota and trace."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wordgate.engine.job import Priority
from wordgate.lm.requests import ModelRequest, Prefill, Step, StepActivations
from wordgate.server.security.quota import TokenBucket
from wordgate.server.services.loop_bridge import Handover
from wordgate.server.telemetry.metrics import Metrics
from wordgate.server.telemetry.tracing import WorkSpan


@dataclass(eq=False, slots=True)
class JobAccounts:
    """Observes one job, and hands its result over to a future of the event loop.

    Implements `engine.job.JobObserver`. `expansions_of` returns the expansions of a result.
    """

    handover: Handover
    future: "asyncio.Future[Any]"
    metrics: Metrics
    priority: Priority
    usage: TokenBucket | None = None
    span: WorkSpan | None = None
    expansions_of: Callable[[Any], int] | None = None
    _tokens_read: int = field(default=0, init=False)
    _prefill: Prefill | None = field(default=None, init=False)

    def resumed(self) -> None:
        """Record that the job starts, or continues with the results of its request."""
        self._prefill = None
        if self.span is not None:
            self.span.resumed()

    def requested(self, request: ModelRequest | Prefill) -> None:
        """Count the rows of a request, and charge them to the token."""
        rows = len(request)
        is_step = isinstance(request, (Step, StepActivations, Prefill))
        if is_step:
            self._tokens_read += rows
            self._prefill = request if isinstance(request, Prefill) else None
        if rows:
            self.metrics.requested(self.priority, rows, is_step=is_step)
        if self.usage is not None:
            self.usage.pay(rows)
        if self.span is not None:
            self.span.requested(rows, is_step)

    def done(self, result: Any, error: BaseException | None) -> None:
        """Report a completed search, refund the tokens of a dropped prefill, settle the future."""
        if self.usage is not None and self._prefill is not None:
            self.usage.pay(-len(self._prefill))
        if self.expansions_of is not None and error is None:
            self.metrics.searched(self._tokens_read, self.expansions_of(result))
        if self.span is not None:
            self.span.ended()
        self.handover.settle(self.future, result, error)
