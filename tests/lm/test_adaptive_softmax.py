"""Layout of the adaptive softmax."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout

cutoffs = st.sets(st.integers(1, 60), min_size=1, max_size=4).map(
    lambda found: tuple(sorted(found))
)


@given(cutoffs)
def test_every_token_has_one_place(found: tuple[int, ...]) -> None:
    """Every token is in the head or one cluster. The head also has one entry per cluster."""
    levels = AdaptiveSoftmaxLayout(found)
    held = [
        token
        for level in range(levels.count)
        for token in range(levels.firsts[level], levels.cutoffs[level])
    ]
    assert held == list(range(levels.vocabulary))
    assert all(levels.firsts[levels.of(p)] <= p < levels.cutoffs[levels.of(p)] for p in held)
    widths = [levels.width(level) for level in range(levels.count)]
    assert sum(widths) == levels.vocabulary + levels.count - 1
    assert widths[0] == levels.head + levels.count - 1


@given(cutoffs, st.lists(st.integers(0, 59), max_size=9))
def test_many_tokens_have_the_levels_of_each(found: tuple[int, ...], tokens: list[int]) -> None:
    """The levels of an array of tokens are those of its tokens one by one."""
    levels = AdaptiveSoftmaxLayout(found)
    inside = [token % levels.vocabulary for token in tokens]
    assert levels.of_many(np.array(inside, np.int64)).tolist() == [levels.of(p) for p in inside]
