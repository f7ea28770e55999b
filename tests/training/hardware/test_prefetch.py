"""Batches prepared ahead."""

from collections.abc import Sequence

import numpy as np
import torch

from wordgate.training.data.sampler import Sampler, SegmentLength
from wordgate.training.data.token_cache import TokenFile
from wordgate.training.hardware.prefetch import Batch, Prefetcher
from wordgate.training.model.adaptive_softmax_loss import cluster_members, clusters

CUTOFFS = (10, 20, 40)
CPU = torch.device("cpu")


def _sampler() -> Sampler:
    random = np.random.default_rng(3)
    ends = np.cumsum([0, *random.integers(1, 30, size=20)]).astype(np.uint64)
    tokens = random.integers(1, 40, size=int(ends[-1])).astype(np.uint16)
    return Sampler([TokenFile(tokens, ends)], [1.0], 6, SegmentLength(5, 1.0), 0.2, seed=4)


def _equal(one: Batch, other: Batch) -> bool:
    pairs = zip(_tensors(one), _tensors(other), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


def _tensors(batch: Batch) -> Sequence[torch.Tensor]:
    return [batch.read, batch.targets, batch.restarted, *batch.distinct, *batch.members]


def test_segments_ahead_are_the_same_and_do_not_count_as_read() -> None:
    """The state after a batch is that without the segments drawn ahead, and can be restored."""
    plain, ahead = (Prefetcher(_sampler(), CUTOFFS, CPU, ahead=count) for count in (0, 2))
    assert plain.state() == ahead.state()
    for _ in range(5):
        assert _equal(plain.next(), ahead.next())
        assert plain.state() == ahead.state()
    saved = plain.state()
    later = [plain.next() for _ in range(3)]
    for _ in range(4):
        ahead.next()
    ahead.restore(saved)
    assert ahead.state() == saved
    assert all(_equal(batch, ahead.next()) for batch in later)


def test_distinct_tokens_and_members_are_those_of_torch() -> None:
    """Computed on the host, they equal what the network would compute itself."""
    batch = Prefetcher(_sampler(), CUTOFFS, CPU).next()
    tokens, index = batch.read.unique(return_inverse=True)
    assert torch.equal(batch.distinct.tokens, tokens)
    assert torch.equal(batch.distinct.places, index)
    flat = batch.targets.flatten()
    for found, (first, end) in zip(batch.members, clusters(CUTOFFS), strict=True):
        assert torch.equal(found, cluster_members(flat, first, end))


def test_columns_are_those_of_the_whole_batch() -> None:
    """Two parts of the columns side by side are the batch of all columns."""
    whole = Prefetcher(_sampler(), CUTOFFS, CPU)
    parts = [
        Prefetcher(_sampler(), CUTOFFS, CPU, columns) for columns in (slice(0, 2), slice(2, 6))
    ]
    for _ in range(3):
        batch, (left, right) = whole.next(), (part.next() for part in parts)
        assert torch.equal(batch.read, torch.cat([left.read, right.read], 1))
        assert torch.equal(batch.targets, torch.cat([left.targets, right.targets], 1))
        assert torch.equal(batch.restarted, torch.cat([left.restarted, right.restarted]))
