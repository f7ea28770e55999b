"""Best-first search: batches, and reports of limits reached."""

import heapq
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.tiny_models import Case, cases, prefixes, tiny_search

from wordgate.decoding.search import BestFirstSearch, LazyRow, Node, SearchParams
from wordgate.lm.requests import YIELD


@given(cases, prefixes, st.integers(1, 8))
def test_batch_size_changes_no_result(case: Case, prefix: str, count: int) -> None:
    """Expanding nodes one at a time or many at once gives the same words."""
    expected = case.search(tiny_search(count, prefix.encode()))
    for rows, margin in ((1, 2.5), (3, 2.5), (50, math.inf)):
        params = tiny_search(count, prefix.encode(), batch_rows=rows, batch_margin=margin)
        found = case.search(params)
        assert (found.words, found.exact) == (expected.words, expected.exact)


@given(cases, prefixes, st.integers(1, 8), st.integers(1, 20))
def test_the_row_limit_is_kept_and_reported(
    case: Case, prefix: str, count: int, bound: int
) -> None:
    """No more rows than allowed are requested.

    Results are sorted and have their own log-probabilities; `exact` means the likeliest of all.
    """
    expected = case.enumerate(prefix)
    found = case.search(tiny_search(count, prefix.encode(), max_expansions=bound))
    assert found.expansions <= bound
    assert found.words == [word for word in expected if word in found.words]
    if found.exact:
        assert found.words == expected[:count]
    else:
        assert found.expansions == bound


@given(cases, st.integers(1, 8))
def test_a_bound_that_is_just_enough_is_no_bound(case: Case, count: int) -> None:
    """A search is exact with as many rows as it needs, and not with one row fewer."""
    params = tiny_search(count, batch_rows=1)
    needed = case.search(params).expansions
    assert case.search(replace(params, max_expansions=needed)).exact
    if needed > 1:
        assert not case.search(replace(params, max_expansions=needed - 1)).exact


class _Alternating(LazyRow):
    """A row that opens one entry at a time and then ranks just below another row."""

    def __init__(self, entries: int) -> None:
        self.entries = entries
        self.rank = 0.0

    def unfold(self, search: Any, most: int) -> int:
        """Open one entry, and queue this row again unless it was the last."""
        heapq.heappop(search.heap)
        self.entries -= 1
        self.rank -= 1.0
        if self.entries:
            search.push(self.rank, self)
        return 1


def test_rows_that_take_turns_are_unfolded_in_time_slices() -> None:
    """A search yields even if no row alone opens enough entries to check the time slice."""
    queries: Any = SimpleNamespace(time_slice=SimpleNamespace(is_over=lambda: True))
    search = BestFirstSearch[Node](queries, SearchParams(1), margin=1.0)
    search.push(0.0, _Alternating(500))
    search.push(0.0, _Alternating(500))
    assert sum(request is YIELD for request in search.run()) >= 1000 // 32
