"""What a job costs: its model rows, for metrics, for the quota of its token and for its trace."""

import asyncio
from collections.abc import Callable
from typing import Any

from wordgate.engine.job import Priority
from wordgate.lm.requests import ModelRequest, Prefill, Step
from wordgate.server.security.quota import TokenBucket
from wordgate.server.services.loop_bridge import Handover
from wordgate.server.telemetry.metrics import Metrics
from wordgate.server.telemetry.tracing import WorkSpan


class JobAccounts:
    """Observes one job, and hands its result over to a future of the event loop.

    Implements `engine.job.JobObserver`. `expansions_of` returns the expansions of a result.
    """

    __slots__ = (
        "_expansions_of",
        "_future",
        "_handover",
        "_metrics",
        "_prefill",
        "_priority",
        "_span",
        "_tokens_read",
        "_usage",
    )

    def __init__(
        self,
        handover: Handover,
        future: "asyncio.Future[Any]",
        metrics: Metrics,
        priority: Priority,
        usage: TokenBucket | None = None,
        span: WorkSpan | None = None,
        expansions_of: Callable[[Any], int] | None = None,
    ) -> None:
        self._handover = handover
        self._future = future
        self._metrics = metrics
        self._priority = priority
        self._usage = usage
        self._span = span
        self._expansions_of = expansions_of
        self._tokens_read = 0
        self._prefill: Prefill | None = None

    def resumed(self) -> None:
        """Record that the job starts, or continues with the results of its request."""
        self._prefill = None
        if self._span is not None:
            self._span.resumed()

    def requested(self, request: ModelRequest | Prefill) -> None:
        """Count the rows of a request, and charge them to the token."""
        rows = len(request)
        is_step = isinstance(request, (Step, Prefill))
        if is_step:
            self._tokens_read += rows
            self._prefill = request if isinstance(request, Prefill) else None
        if rows:
            self._metrics.requested(self._priority, rows, is_step=is_step)
        if self._usage is not None:
            self._usage.pay(rows)
        if self._span is not None:
            self._span.requested(rows, is_step)

    def done(self, result: Any, error: BaseException | None) -> None:
        """Report a completed search, refund the tokens of a dropped prefill, settle the future."""
        if self._usage is not None and self._prefill is not None:
            self._usage.pay(-len(self._prefill))
        if self._expansions_of is not None and error is None:
            self._metrics.searched(self._tokens_read, self._expansions_of(result))
        if self._span is not None:
            self._span.ended()
        self._handover.settle(self._future, result, error)
