"""The state cache, bounded in bytes."""

import numpy as np
import pytest

from wordgate.engine.lstm_state import NetworkState, StateBatch
from wordgate.engine.state_cache import StateCache

_ENTRY = 5 * 10 + 400


def _state(value: int) -> NetworkState:
    block = StateBatch(np.full((1, 10), value, np.uint8), np.full((1, 10), value, np.float32))
    return NetworkState(block, 0)


@pytest.fixture
def cache() -> StateCache:
    """A cache with room for three states; a quarter of its budget is for rows."""
    return StateCache(_state(0), b"seed", 3 * _ENTRY * 32 // 23 + 10)


def test_the_longest_cached_prefix_is_found(cache: StateCache) -> None:
    """`longest` returns the state of the longest cached prefix, and its length."""
    one, two = _state(1), _state(2)
    cache.put(b"1", one)
    cache.put(b"2", two)
    assert cache.longest_prefix([b"1", b"2", b"3"]) == (two, 2)
    assert cache.longest_prefix([b"1", b"x", b"y"]) == (one, 1)
    assert cache.longest_prefix([b"x"]) == (cache.start, 0)
    assert cache.longest_prefix([]) == (cache.start, 0)


def test_hits_and_misses_count_tokens(cache: StateCache) -> None:
    """Tokens of the cached prefix are hits, the others misses."""
    cache.put(b"2", _state(2))
    cache.longest_prefix([b"1", b"2", b"3"])
    cache.longest_prefix([b"x", b"y"])
    assert (cache.hits, cache.misses) == (2, 3)


def test_the_least_recently_used_state_is_evicted(cache: StateCache) -> None:
    """A recently used state stays, and the size limit holds."""
    for key in (b"1", b"2", b"3"):
        cache.put(key, _state(1))
    cache.longest_prefix([b"1"])
    cache.put(b"4", _state(4))
    assert cache.longest_prefix([b"2"])[1] == 0
    assert (
        cache.longest_prefix([b"1"])[1]
        == cache.longest_prefix([b"3"])[1]
        == cache.longest_prefix([b"4"])[1]
        == 1
    )
    assert cache.evictions == 1
    assert cache.nbytes == 3 * _ENTRY


def test_storing_a_key_again_replaces_its_entry(cache: StateCache) -> None:
    """A key has one entry, which becomes the most recently used."""
    for key in (b"1", b"1", b"2", b"3", b"1", b"4"):
        cache.put(key, _state(1))
    assert cache.nbytes == 3 * _ENTRY
    assert cache.longest_prefix([b"1"])[1] == 1
    assert cache.longest_prefix([b"2"])[1] == 0


def test_rows_have_their_own_budget(cache: StateCache) -> None:
    """Rows are copied, stored by key and level, and never evict states."""
    for key in (b"1", b"2", b"3"):
        cache.put(key, _state(1))
    rows = np.zeros((2, 8), np.float32)
    cache.put_row(b"1", 0, rows[0])
    found = cache.row(b"1", 0)
    assert found is not None
    assert found.base is None
    assert cache.row(b"1", 1) is cache.row(b"2", 0) is None
    cache.put_row(b"1", 1, rows[1])
    assert cache.row(b"1", 0) is None
    assert cache.row(b"1", 1) is not None
    assert all(cache.state(key) is not None for key in (b"1", b"2", b"3"))
    assert cache.state(b"4") is None


def test_text_keys_are_cached(cache: StateCache) -> None:
    """The key of a text is found until it is evicted."""
    roomy = StateCache(_state(0), b"seed", 32 * 450)
    roomy.put_key_of_text(b"text", b"key")
    assert roomy.get_key(b"text") == b"key"
    roomy.put_key_of_text(b"other", b"key")
    assert roomy.get_key(b"text") is None
    cache.put_key_of_text(b"text", b"key")
    assert cache.get_key(b"text") is None


def test_a_cache_of_zero_bytes_always_misses() -> None:
    """Nothing is stored with a budget of 0 bytes."""
    cache = StateCache(_state(0), b"", 0)
    cache.put(b"1", _state(1))
    cache.put_row(b"1", 0, np.zeros(8, np.float32))
    cache.put_key_of_text(b"text", b"1")
    assert cache.longest_prefix([b"1"]) == (cache.start, 0)
    assert (cache.row(b"1", 0), cache.get_key(b"text"), cache.nbytes) == (None, None, 0)


def test_a_cached_state_does_not_keep_its_batch_in_memory() -> None:
    """A state from a large batch is copied, so the cache uses only the memory that it counts."""
    block = StateBatch(np.zeros((64, 10), np.uint8), np.ones((64, 10), np.float32))
    cache = StateCache(_state(0), b"", 10 * _ENTRY)
    cache.put(b"k", block.states()[7])
    kept, _ = cache.longest_prefix([b"k"])
    assert kept.block is not block
    assert len(kept.block.hidden) == 1
    assert (kept.cells == 1).all()
