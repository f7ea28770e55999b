"""Segments as tensors on the training device, prepared ahead in a thread.

Everything that would make a CUDA device wait for the host is computed here on the host: the
distinct tokens, and which targets belong to each cluster of the output.
"""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wordgate.training.data.sampler import Sampler
from wordgate.training.data.sequential_sampler import SequentialSampler
from wordgate.training.model.adaptive_softmax_loss import members_by_cluster
from wordgate.training.model.network import DistinctTokens


@dataclass(frozen=True)
class Batch:
    """What the network reads in one update; see `Segment` and `Network.forward`.

    `read`, `targets` int64 [length, columns], `restarted` bool [columns]. `members`: the indices of
    the flat targets in each cluster.
    """

    read: Tensor
    targets: Tensor
    restarted: Tensor
    distinct: DistinctTokens
    members: tuple[Tensor, ...]


class Prefetcher:
    """Draws the segments of a sampler and puts some of their columns on a device.

    `ahead` segments are drawn and copied before they are asked for, from pinned memory; with 0 each
    is drawn when it is asked for, in the caller's thread.
    """

    def __init__(
        self,
        sampler: Sampler | SequentialSampler,
        cutoffs: tuple[int, ...],
        device: torch.device,
        columns: slice = slice(None),
        ahead: int = 0,
    ) -> None:
        self._sampler = sampler
        self._cutoffs = cutoffs
        self._device = device
        self._columns = columns
        self._ahead = ahead
        self._pending: deque[Future[tuple[Batch, dict[str, Any]]]] = deque()
        self._thread = ThreadPoolExecutor(1, "prefetch") if ahead else None
        self._state = sampler.state() if ahead else {}

    def next(self) -> Batch:
        """Return the next segment's batch."""
        if self._thread is None:
            return self._draw()
        while len(self._pending) <= self._ahead:
            self._pending.append(self._thread.submit(self._draw_with_state))
        batch, self._state = self._pending.popleft().result()
        return batch

    def state(self) -> dict[str, Any]:
        """Return the sampler's state after the last batch returned, without those drawn ahead."""
        return self._state if self._thread else self._sampler.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a `state`, discarding what was drawn ahead."""
        while self._pending:
            self._pending.popleft().result()
        self._sampler.restore(state)
        self._state = state

    def _draw_with_state(self) -> tuple[Batch, dict[str, Any]]:
        return self._draw(), self._sampler.state()

    def _draw(self) -> Batch:
        segment = self._sampler.next_segment()
        read, targets = (
            torch.from_numpy(np.ascontiguousarray(part[:, self._columns]))
            for part in (segment.read, segment.targets)
        )
        return Batch(
            self._put(read),
            self._put(targets),
            self._put(torch.from_numpy(segment.restarted[self._columns])),
            DistinctTokens(*map(self._put, read.unique(return_inverse=True))),
            tuple(map(self._put, members_by_cluster(targets.flatten(), self._cutoffs))),
        )

    def _put(self, tensor: Tensor) -> Tensor:
        if self._device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self._device, non_blocking=True)
