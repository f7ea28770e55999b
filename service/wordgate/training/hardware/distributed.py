"""Training in several processes (ranks) that divide the columns of a batch.

Each rank has all weights and draws all segments, and computes the loss of its own columns. The sum
of the gradients over the ranks is that of one process on the whole batch, so all ranks make its
update. Gradients are summed by NCCL on CUDA devices (untried) and by Gloo on the CPU; everything
else is exchanged by Gloo, which does not wait for a CUDA device.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from wordgate.errors import TrainingError
from wordgate.training.hardware.torchrun import Place

Value = TypeVar("Value")

_TIMEOUT = timedelta(days=7)
"""Ranks wait while the first one tokenises text or evaluates; torchrun ends those left waiting."""


@dataclass(frozen=True)
class Ranks(Place):
    """The processes of a training run, seen from process number `rank` of `size`.

    All ranks must call the exchanging methods in the same order. They raise `TrainingError` if
    another process has ended. With one process they exchange nothing and return its own values.
    """

    @property
    def is_first(self) -> bool:
        """Whether this process writes files, evaluates and shows progress."""
        return self.rank == 0

    def columns(self, batch: int) -> slice:
        """Return this rank's columns of a batch. Raises `TrainingError` if it cannot be divided."""
        if batch % self.size:
            raise TrainingError(
                f"training.batch is {batch}, not a multiple of {self.size} processes; change the "
                "batch or the number of processes"
            )
        count = batch // self.size
        return slice(self.rank * count, (self.rank + 1) * count)

    def sum_gradients(self, parameters: Sequence[nn.Parameter], loss: Tensor) -> Tensor:
        """Replace the gradients by their sums over the ranks, and return that of the loss.

        One exchange of one flat buffer; nothing is copied to the host.
        """
        if self.size == 1:
            return loss
        gradients = [part.grad for part in parameters if part.grad is not None]
        flat = torch.cat([loss.reshape(1), *(part.flatten() for part in gradients)])
        with _peers_alive():
            dist.all_reduce(flat)
        parts = flat[1:].split([part.numel() for part in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
        return flat[0]

    def any_of(self, *flags: bool) -> list[bool]:
        """Return for each flag whether it is set on any rank."""
        if self.size == 1:
            return list(flags)
        found = torch.tensor(flags, dtype=torch.uint8)
        with _peers_alive():
            dist.all_reduce(found, dist.ReduceOp.MAX)
        return [bool(flag) for flag in found]

    def gather(self, part: Tensor) -> list[Tensor]:
        """Return the ranks' parts, which have one shape, in host memory."""
        part = part.detach().cpu().contiguous()
        if self.size == 1:
            return [part]
        parts = [torch.empty_like(part) for _ in range(self.size)]
        with _peers_alive():
            dist.all_gather(parts, part)
        return parts

    def from_first(self, compute: Callable[[], Value]) -> Value:
        """Compute a picklable value on the first rank and return it on all."""
        if self.size == 1:
            return compute()
        values = [compute() if self.is_first else None]
        with _peers_alive():
            dist.broadcast_object_list(values)
        return values[0]  # type: ignore[return-value]

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Run the block on the first rank, then on the others, which find its files."""
        if not self.is_first:
            self.any_of(False)
        yield
        if self.is_first:
            self.any_of(False)


ONE_PROCESS = Ranks()


@contextmanager
def joined(place: Place, device: torch.device) -> Iterator[Ranks]:
    """Join the processes that torchrun has started; with one process, nothing is joined.

    If the block fails, the process is expected to exit, which the others notice.
    """
    ranks = Ranks(place.rank, place.size, place.local_rank)
    if ranks.size == 1:
        yield ranks
        return
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    with _peers_alive():
        dist.init_process_group(backend, timeout=_TIMEOUT)
    yield ranks
    dist.destroy_process_group()


@contextmanager
def _peers_alive() -> Iterator[None]:
    """Report a failed exchange. The causes are a process that ended and a lost connection."""
    try:
        yield
    except RuntimeError as error:
        raise TrainingError(
            "another process of this run ended or is unreachable "
            f"({str(error).splitlines()[0]}); see its message, then rerun to resume"
        ) from error
