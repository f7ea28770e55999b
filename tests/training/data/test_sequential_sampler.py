"""Reading text in order."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from wordgate.errors import TrainingError
from wordgate.training.data.sampler import Segment, SegmentLength
from wordgate.training.data.sequential_sampler import (
    SequentialSampler,
    columns_of,
    running_text,
)
from wordgate.training.data.token_cache import TokenFile

VARYING = SegmentLength(5, deviation=2.0, half_share=0.3)


def _file(passages: Sequence[Sequence[int]]) -> TokenFile:
    starts = np.cumsum([0, *map(len, passages)]).astype(np.uint64)
    return TokenFile(np.array([p for passage in passages for p in passage], np.uint32), starts)


def _distinct(tokens: int) -> list[TokenFile]:
    """Return a text of the tokens 1, 2, 3 … and one `<eos>` at its end."""
    return [_file([range(1, tokens)])]


def _one_pass(sampler: SequentialSampler) -> list[Segment]:
    """Return the segments up to the next restart."""
    segments = [sampler.next_segment()]
    while sampler.state()["row"]:
        segments.append(sampler.next_segment())
    return segments


def test_passages_follow_one_another_with_eos_between() -> None:
    """Files and passages keep their order; empty passages are an `<eos>` alone."""
    files = [_file([[], [5, 6], []]), _file([[7]])]
    assert running_text(files, 0).tolist() == [0, 5, 6, 0, 0, 7, 0]


def test_columns_are_consecutive_parts_of_the_text() -> None:
    """Column c has the c-th part; what is read is one token behind, after `<eos>`."""
    read, targets = columns_of(np.arange(1, 12), 3, eos=0)
    assert targets.T.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert read.T.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize("length", [SegmentLength(5), SegmentLength(1000), VARYING])
def test_a_pass_reads_each_token_once(length: SegmentLength) -> None:
    """The segments of a pass are the columns, whatever their lengths; 3 of 103 tokens are left."""
    sampler = SequentialSampler(_distinct(103), 4, length, seed=3)
    read, targets = columns_of(running_text(_distinct(103), 0), 4, eos=0)
    for _ in range(3):
        segments = _one_pass(sampler)
        assert np.array_equal(np.concatenate([s.read for s in segments]), read)
        assert np.array_equal(np.concatenate([s.targets for s in segments]), targets)
        assert sorted(targets.flatten()) == list(range(1, 101))


def test_the_state_is_zeroed_at_the_beginning_of_a_pass_only() -> None:
    """All columns restart in the first segment of a pass and in no other."""
    sampler = SequentialSampler(_distinct(103), 4, SegmentLength(7), seed=3)
    for _ in range(2):
        restarted = [segment.restarted.tolist() for segment in _one_pass(sampler)]
        assert restarted == [[True] * 4, *[[False] * 4] * 3]


def test_a_restored_sampler_continues_exactly() -> None:
    """From any segment, and through JSON, the rest of two passes is the same."""
    for made in range(12):
        first, second = (SequentialSampler(_distinct(90), 3, VARYING, seed=3) for _ in range(2))
        for _ in range(made):
            first.next_segment()
        second.restore(json.loads(json.dumps(first.state())))
        for _ in range(12):
            one, other = first.next_segment(), second.next_segment()
            assert np.array_equal(one.read, other.read)
            assert np.array_equal(one.targets, other.targets)
            assert np.array_equal(one.restarted, other.restarted)


def test_a_text_shorter_than_the_batch_is_refused() -> None:
    """Each column needs a token."""
    with pytest.raises(TrainingError, match=r"has 3 tokens, training\.batch is 4"):
        SequentialSampler(_distinct(3), 4, SegmentLength(5), seed=3)
