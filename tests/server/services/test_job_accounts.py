"""Accounts of a job: rows for metrics, quota and trace, and its result."""

import asyncio
from typing import Any

import pytest

from wordgate.engine.job import Priority
from wordgate.lm.requests import OutputRows, Prefill, Step, TokenLogProbs
from wordgate.server.security.quota import Quota, TokenBucket
from wordgate.server.services.job_accounts import JobAccounts
from wordgate.server.services.loop_bridge import Handover
from wordgate.server.telemetry.metrics import Metrics
from wordgate.server.telemetry.tracing import WorkSpan

PRIORITY = Priority.NORMAL


def _accounts(future: "asyncio.Future[Any]", metrics: Metrics, **options: Any) -> JobAccounts:
    return JobAccounts(Handover(), future, metrics, PRIORITY, **options)


def _request(accounts: JobAccounts) -> None:
    """Request 3 + 2 tokens to read, and 2 + 1 output rows."""
    for request in (
        Prefill(None, [1, 2, 3]),
        Step([(None, 1), (None, 2)]),
        OutputRows([(None, 0), (None, 1)]),
        TokenLogProbs([(None, 7)]),
    ):
        accounts.resumed()
        accounts.requested(request)


def _rows(metrics: Metrics, kind: str) -> float | None:
    labels = {"kind": kind, "priority": PRIORITY.value}
    return metrics.registry.get_sample_value("wordgate_model_rows_total", labels)


async def test_a_finished_job_reports_its_rows_and_its_result() -> None:
    """Rows are counted by kind; a search also reports its tokens read and its expansions."""
    metrics, future = Metrics(), asyncio.get_running_loop().create_future()
    accounts = _accounts(future, metrics, expansions_of=len)
    _request(accounts)
    accounts.done("four", None)
    assert await future == "four"
    assert (_rows(metrics, "step"), _rows(metrics, "output")) == (5, 3)
    value = metrics.registry.get_sample_value
    assert value("wordgate_predict_tokens_read_sum") == 5
    assert value("wordgate_search_expansions_sum") == len("four")
    assert value("wordgate_search_expansions_count") == 1


async def test_a_failed_search_reports_only_its_rows() -> None:
    """The error reaches the future; the search is not observed."""
    metrics, future = Metrics(), asyncio.get_running_loop().create_future()
    accounts = _accounts(future, metrics, expansions_of=len)
    _request(accounts)
    accounts.done(None, ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        await future
    assert (_rows(metrics, "step"), _rows(metrics, "output")) == (5, 3)
    assert metrics.registry.get_sample_value("wordgate_search_expansions_count") == 0


async def test_requests_are_charged_to_the_token_at_once() -> None:
    """A job in progress has already paid for its requests."""
    charged: list[int] = []

    class Bucket(TokenBucket):
        def pay(self, rows: int) -> None:
            charged.append(rows)

    future = asyncio.get_running_loop().create_future()
    _request(_accounts(future, Metrics(), usage=Bucket(Quota(rows_per_second=1))))
    assert charged == [3, 2, 2, 1]


async def test_a_trace_has_the_rounds_and_rows() -> None:
    """Each request is a round; its rows are counted by kind."""
    span, future = WorkSpan(), asyncio.get_running_loop().create_future()
    accounts = _accounts(future, Metrics(), span=span)
    _request(accounts)
    accounts.done(1, None)
    assert await future == 1
    assert (span.rounds, span.steps, span.outputs) == (4, 5, 3)
    assert span.ended_ns >= span.started_ns >= span.began_ns > 0


async def test_a_dropped_prefill_is_refunded() -> None:
    """A token pays for the tokens that were read, not for those left when the job was dropped."""
    charged: list[int] = []

    class Bucket(TokenBucket):
        def pay(self, rows: int) -> None:
            charged.append(rows)

    future = asyncio.get_running_loop().create_future()
    accounts = _accounts(future, Metrics(), usage=Bucket(Quota(rows_per_second=1)))
    prefill = Prefill(None, [1, 2, 3, 4])
    accounts.resumed()
    accounts.requested(prefill)
    prefill.advance("state after the first token")
    accounts.done(None, ValueError("dropped"))
    with pytest.raises(ValueError, match="dropped"):
        await future
    assert charged == [4, -3]
