"""Ranges of pieces in the output layer."""

from hypothesis import given
from hypothesis import strategies as st

from wordgate.core.levels import Levels

cuts = st.sets(st.integers(1, 60), min_size=1, max_size=4).map(lambda found: tuple(sorted(found)))


@given(cuts)
def test_every_piece_has_one_place(found: tuple[int, ...]) -> None:
    """Head and clusters hold every piece once; the head has an entry for each cluster besides."""
    levels = Levels(found)
    held = [
        piece
        for level in range(levels.count)
        for piece in range(levels.first(level), levels.cuts[level])
    ]
    assert held == list(range(levels.vocabulary))
    assert all(levels.first(levels.of(p)) <= p < levels.cuts[levels.of(p)] for p in held)
    widths = [levels.width(level) for level in range(levels.count)]
    assert sum(widths) == levels.vocabulary + levels.count - 1
    assert widths[0] == levels.head + levels.count - 1
