"""Check a device for training: speed of an update, its share of the limit, and its gradients.

Tokens follow Zipf's law as in `training_step`. No text is needed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wordgate.bench.training.training_step import zipf_tokens
from wordgate.training.data.sampler import Sampler, SegmentLength
from wordgate.training.data.token_cache import TokenFile
from wordgate.training.hardware.prefetch import Batch, Prefetcher
from wordgate.training.loss_meter import LossMeter
from wordgate.training.model.adaptive_softmax_loss import clusters
from wordgate.training.model.network import Network, NetworkConfig
from wordgate.training.model.optimizer import Optimiser, Schedule

LOSS_TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1e-2}
"""Limit of the loss's relative difference from float32 on the CPU, by type of the products."""

GRADIENT_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 1e-1}
"""Limit of a gradient's difference from float32 on the CPU, relative to the gradient's norm."""

_TEXT_TOKENS, _PASSAGE = 400_000, 20
_WARM_UP_STEPS, _MIN_STEPS = 3, 2


@dataclass(frozen=True)
class Workload:
    """Sizes of a network and of the batches that train it."""

    sizes: NetworkConfig
    batch: int
    length: int

    def batches(self, device: torch.device, ahead: int = 0) -> Prefetcher:
        """Return an endless source of batches, the same on every device."""
        tokens = zipf_tokens(self.sizes.vocabulary, (_TEXT_TOKENS,))
        starts = np.arange(0, _TEXT_TOKENS + 1, _PASSAGE, dtype=np.uint64)
        file = TokenFile(tokens.astype(np.uint32), starts)
        sampler = Sampler([file], [1.0], self.batch, SegmentLength(self.length), 0.1, seed=1)
        return Prefetcher(sampler, self.sizes.cutoffs, device, ahead=ahead)

    def network(self, device: torch.device, products: torch.dtype) -> Network:
        """Return a network in training mode, with the same weights on every device."""
        generator = torch.Generator().manual_seed(1)
        return Network(self.sizes, products, generator).to(device).train()


def step_speed(
    workload: Workload, device: torch.device, products: torch.dtype, seconds: float
) -> dict[str, float]:
    """Time updates for about `seconds`, and compare them with the device's matrix products.

    `share_of_limit` is the rate of the update's products (forward, and twice that backward) over
    the rate of large square products in the same precision.
    """
    network = workload.network(device, products)
    optimiser = Optimiser(network.parameters(), Schedule(1e-3, 1e-4, 0, 0, 1_000_000))
    source = workload.batches(device, ahead=2 if device.type == "cuda" else 0)
    state, meter, products_done = network.start(workload.batch), LossMeter(), 0.0

    def update() -> None:
        nonlocal state, products_done
        batch = source.next()
        top, state = network(batch.read, state.restart(batch.restarted), distinct=batch.distinct)
        loss = network.loss(top, batch.targets, batch.members)
        (loss / batch.targets.numel()).backward()
        meter.add(loss.detach(), batch.targets.numel())
        optimiser.step()
        products_done += _update_flops(workload.sizes, batch)

    for _ in range(_WARM_UP_STEPS):
        update()
    meter.settle()
    meter.tokens, products_done = 0, 0.0
    taken = _timed(update, seconds, meter.settle)
    limit = matmul_rate(device, products, seconds / 4)
    return {
        "tokens_per_second": meter.tokens / taken,
        "update_tflops": products_done / taken / 1e12,
        "matmul_tflops": limit / 1e12,
        "share_of_limit": products_done / taken / limit,
    }


def matmul_rate(
    device: torch.device, products: torch.dtype, seconds: float, size: int | None = None
) -> float:
    """Return the FLOP per second of large square matrix products (4096, on the CPU 1024)."""
    size = size or (4096 if device.type == "cuda" else 1024)
    left, right = (torch.randn(size, size, device=device).to(products) for _ in range(2))
    count = 0

    def multiply() -> None:
        nonlocal count
        torch.mm(left, right)
        count += 1

    def settle() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    for _ in range(_WARM_UP_STEPS):
        multiply()
    settle()
    count = 0
    taken = _timed(multiply, seconds, settle)
    return count * 2 * size**3 / taken


def update_agreement(
    workload: Workload, device: torch.device, products: torch.dtype
) -> dict[str, float | bool]:
    """Compare one update's loss and gradients on `device` with float32 on the CPU.

    Weights and tokens are the same. `agrees` is whether both differences are within
    `LOSS_TOLERANCE` and `GRADIENT_TOLERANCE` for `products`.
    """
    exact_loss, exact = _gradients(workload, torch.device("cpu"), torch.float32)
    loss, found = _gradients(workload, device, products)
    differences = [
        float((one - other).norm() / other.norm().clamp_min(1e-12))
        for one, other in zip(found, exact, strict=True)
        if other.numel()
    ]
    loss_difference, gradient_difference = abs(loss / exact_loss - 1), max(differences)
    agrees = (
        loss_difference <= LOSS_TOLERANCE[products]
        and gradient_difference <= GRADIENT_TOLERANCE[products]
    )
    return {
        "loss_difference": loss_difference,
        "loss_tolerance": LOSS_TOLERANCE[products],
        "gradient_difference": gradient_difference,
        "gradient_tolerance": GRADIENT_TOLERANCE[products],
        "agrees": agrees,
    }


def _gradients(
    workload: Workload, device: torch.device, products: torch.dtype
) -> tuple[float, list[Tensor]]:
    """Return the loss per token of the first batch and its gradients, on the CPU in float64."""
    network = workload.network(device, products)
    batch = workload.batches(device).next()
    top, _ = network(batch.read, network.start(workload.batch), distinct=batch.distinct)
    loss = network.loss(top, batch.targets, batch.members) / batch.targets.numel()
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    return float(loss.detach()), [part.cpu().double() for part in gradients]


def _update_flops(sizes: NetworkConfig, batch: Batch) -> float:
    """Return the FLOP of an update's matrix products: forward, and twice that backward."""
    tokens, width = batch.targets.numel(), sizes.width
    layers = tokens * sizes.layers * 2 * 4 * width * 2 * width
    outputs = tokens * (sizes.cutoffs[0] + len(batch.members))
    for members, (first, end) in zip(batch.members, clusters(sizes.cutoffs), strict=True):
        outputs += len(members) * (end - first)
    return 3.0 * (layers + 2 * width * outputs)


def _timed(work: Callable[[], None], seconds: float, settle: Callable[[], object]) -> float:
    """Repeat `work` for about `seconds`, wait for its end with `settle`, and return the time."""
    began, count = time.perf_counter(), 0
    while count < _MIN_STEPS or time.perf_counter() - began < seconds:
        work()
        count += 1
        if count % 16 == 0:
            settle()
    settle()
    return time.perf_counter() - began
