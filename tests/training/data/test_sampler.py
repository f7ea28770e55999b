"""Sampling of training segments."""

import itertools
import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgate.training.data.sampler import Sampler, Segment, SegmentLength
from wordgate.training.data.token_cache import TokenFile

EOS = 0


def _file(passages: Sequence[Sequence[int]]) -> TokenFile:
    starts = np.cumsum([0, *map(len, passages)]).astype(np.uint64)
    return TokenFile(np.array([p for passage in passages for p in passage], np.uint16), starts)


def _numbered(count: int, length: int, first: int = 1) -> TokenFile:
    """Return passages of distinct tokens, so that a token identifies its passage."""
    return _file([range(first + i * length, first + (i + 1) * length) for i in range(count)])


def _sampler(
    files: Sequence[TokenFile],
    weights: Sequence[float] | None = None,
    batch: int = 3,
    length: int = 5,
    restart_share: float = 0.2,
    seed: int = 7,
) -> Sampler:
    weights = weights or [1.0] * len(files)
    return Sampler(files, weights, batch, SegmentLength(length), restart_share, seed)


def _equal(one: Segment, other: Segment) -> bool:
    return (
        np.array_equal(one.read, other.read)
        and np.array_equal(one.targets, other.targets)
        and np.array_equal(one.restarted, other.restarted)
    )


def _columns(segments: Sequence[Segment]) -> list[list[int]]:
    return [column.tolist() for column in np.concatenate([s.read for s in segments]).T]


def _passages_read(column: Sequence[int]) -> list[list[int]]:
    """Return the passages between the `<eos>` tokens of a column; the last may be incomplete."""
    found: list[list[int]] = []
    for token in column:
        if token == EOS:
            found.append([])
        else:
            found[-1].append(token)
    return found[:-1]


def test_targets_are_what_is_read_next() -> None:
    """A target is the token after the one that is read, also across segments."""
    sampler = _sampler([_numbered(9, 7)], restart_share=0.0)
    segments = [sampler.next_segment() for _ in range(20)]
    for segment, following in itertools.pairwise(segments):
        assert np.array_equal(segment.targets[:-1], segment.read[1:])
        assert np.array_equal(segment.targets[-1], following.read[0])


def test_whole_passages_are_read_between_eos() -> None:
    """Without restarts, columns read complete passages separated by one `<eos>`."""
    file = _numbered(9, 7)
    sampler = _sampler([file], restart_share=0.0)
    known = [file.passage(index).tolist() for index in range(len(file))]
    columns = _columns([sampler.next_segment() for _ in range(50)])
    assert all(column[0] == EOS for column in columns)
    assert all(passage in known for column in columns for passage in _passages_read(column))


def test_all_passages_come_before_one_comes_again() -> None:
    """Columns share the passages; each pass has all of them in a new order."""
    file = _numbered(10, 4)
    sampler = _sampler([file], batch=1, restart_share=0.0)
    column = _columns([sampler.next_segment() for _ in range(40)])[0]
    read = [passage[0] for passage in _passages_read(column)]
    turns = [read[start : start + 10] for start in range(0, 30, 10)]
    assert all(len(set(turn)) == 10 for turn in turns)
    assert turns[0] != turns[1] != turns[2]


def test_a_restarted_column_begins_a_text() -> None:
    """All columns begin with a new text; later the configured share does, reading `<eos>`."""
    file = _numbered(50, 30)
    begins = {int(file.passage(index)[0]) for index in range(len(file))}
    sampler = _sampler([file], batch=20, restart_share=0.25)
    segments = [sampler.next_segment() for _ in range(200)]
    assert segments[0].restarted.all()
    share = np.mean([segment.restarted.mean() for segment in segments[1:]])
    assert 0.22 < share < 0.28
    for segment in segments:
        assert (segment.read[0, segment.restarted] == EOS).all()
        assert set(segment.targets[0, segment.restarted].tolist()) <= begins


def test_files_are_read_by_size_and_weight() -> None:
    """The tokens read from a file are proportional to its size times its weight."""
    short, long = _numbered(400, 3), _numbered(20, 60, first=5000)
    sampler = _sampler([short, long], weights=[3.0, 1.0], batch=10, length=20, restart_share=0.0)
    counts: Counter[str] = Counter()
    for _ in range(500):
        read = sampler.next_segment().read
        counts["short"] += int(((read > 0) & (read < 5000)).sum())
        counts["long"] += int((read >= 5000).sum())
    assert 2.6 < counts["short"] / counts["long"] < 3.4


def test_restarts_do_not_change_the_shares() -> None:
    """If restarts drop the ends of long passages, shares are still size times weight."""
    short, middle, long = _numbered(900, 3), _numbered(60, 45, 3000), _numbered(45, 600, 6000)
    weights = [2.0, 3.0, 1.0]
    sampler = _sampler([short, middle, long], weights, batch=20, length=35, restart_share=0.08)
    read = np.concatenate([sampler.next_segment().read.ravel() for _ in range(1500)])
    counts = np.array(
        [
            ((low <= read) & (read < high)).sum()
            for low, high in ((1, 3000), (3000, 6000), (6000, 60_000))
        ]
    )
    wanted = np.array([2.0 * 2700, 3.0 * 2700, 1.0 * 27_000])
    assert np.abs(counts / counts.sum() / (wanted / wanted.sum()) - 1).max() < 0.03


def test_files_without_passages_are_never_drawn() -> None:
    """Empty files are skipped, at any position."""
    empty = _file([])
    sampler = _sampler([empty, _numbered(3, 2), empty])
    assert all(sampler.next_segment().read.shape == (5, 3) for _ in range(50))


def test_another_seed_reads_in_another_order() -> None:
    """Equal seeds give equal segments; different seeds give different ones."""
    file = _numbered(50, 9)
    first, same, other = (_sampler([file], seed=seed) for seed in (1, 1, 2))
    segment = first.next_segment()
    assert _equal(segment, same.next_segment())
    assert not _equal(segment, other.next_segment())


@settings(max_examples=60, deadline=None)
@given(
    files=st.lists(
        st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=12), min_size=1, max_size=6),
        min_size=1,
        max_size=3,
    ),
    batch=st.integers(1, 4),
    length=st.integers(1, 8),
    restart_share=st.sampled_from([0.0, 0.3, 0.9]),
    before=st.integers(0, 25),
)
def test_a_restored_sampler_goes_on_exactly(
    files: list[list[list[int]]], batch: int, length: int, restart_share: float, before: int
) -> None:
    """A sampler restored from JSON state at any point yields the same segments."""
    opened = [_file(file) for file in files]
    one = _sampler(opened, None, batch, length, restart_share)
    for _ in range(before):
        one.next_segment()
    other = _sampler(opened, None, batch, length, restart_share)
    other.restore(json.loads(json.dumps(one.state())))
    assert all(_equal(one.next_segment(), other.next_segment()) for _ in range(12))


def test_a_constant_length_draws_nothing() -> None:
    """A length without variation leaves the random state as it was."""
    random = np.random.default_rng(1)
    before = random.bit_generator.state
    assert SegmentLength(70).draw(random) == 70
    assert random.bit_generator.state == before


def test_lengths_are_normal_around_the_whole_or_half_of_the_mean() -> None:
    """With deviation 5, 95 % of lengths are near 70, the rest near 35, each spread by 5."""
    random = np.random.default_rng(1)
    lengths = np.array([SegmentLength(70, 5.0, 0.05).draw(random) for _ in range(20_000)])
    long, short = lengths[lengths > 52], lengths[lengths <= 52]
    assert abs(len(short) / len(lengths) - 0.05) < 0.01
    assert abs(long.mean() - 70) < 0.3 and abs(long.std() - 5) < 0.3
    assert abs(short.mean() - 35) < 1 and abs(short.std() - 5) < 1
    assert min(SegmentLength(2, 5.0).draw(random) for _ in range(100)) == 1


def test_segments_of_varying_length_read_every_token_once() -> None:
    """The next segment begins where the last one ended, whatever its length."""
    file = _numbered(40, 9)
    sampler = Sampler([file], [1.0], 1, SegmentLength(7, 2.0, 0.2), 0.0, seed=3)
    segments = [sampler.next_segment() for _ in range(60)]
    assert len({len(segment.read) for segment in segments}) > 4
    passages = _passages_read(_columns(segments)[0])[:40]
    assert sorted(token for passage in passages for token in passage) == sorted(file.tokens)
