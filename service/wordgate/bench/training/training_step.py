"""Benchmark a training step against a plain PyTorch training loop.

Both run in the same process on the same tokens, alternately; results are medians. The tokens
follow Zipf's law, so head and clusters are hit as often as in real text.
"""

import statistics
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wordgate.training.hardware.precision import choose_precision
from wordgate.training.model.network import Network, NetworkConfig
from wordgate.training.model.optimizer import Optimiser, Schedule
from wordgate.training.recipe import Precision

ZIPF_EXPONENT = 1.05
"""With this exponent, 2,000 of 16,000 tokens cover 84 % of a text and 6,000 cover 92 %."""


class PlainModel(nn.Module):
    """Embedding, torch.nn.LSTM, and a full softmax tied to the embedding."""

    def __init__(self, vocabulary: int, layers: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, width, layers)
        self.output = nn.Linear(width, vocabulary)
        nn.init.normal_(self.embedding.weight, std=0.05)
        self.output.weight = self.embedding.weight

    def forward(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        values, state = self.lstm(self.embedding(tokens), state)
        return self.output(values), state


def run(
    batch: int = 40,
    length: int = 35,
    layers: int = 2,
    width: int = 512,
    vocabulary: int = 16_000,
    cutoffs: tuple[int, ...] = (2_000, 6_000, 16_000),
    repetitions: int = 7,
    steps: int = 4,
    threads: int = 2,
    precision: Precision = "auto",
) -> dict[str, Any]:
    """Return the tokens per second of our training step and of the plain loop, and their ratio.

    Each repetition measures `steps` steps of both; results are medians. torch's number of threads
    is set to `threads` during the measurement. `precision` is that of the products, as in a recipe;
    the plain loop has float32 products where torch.nn.LSTM does not support bfloat16.
    """
    before = torch.get_num_threads()
    chosen = choose_precision(precision, torch.device("cpu"))
    plain_products = _plain_products(chosen.products)
    torch.set_num_threads(threads)
    try:
        sizes = NetworkConfig(vocabulary, layers, width, cutoffs)
        segments = _segments(vocabulary, batch, length, steps)
        ours = _our_step(sizes, batch, chosen.products)
        plain = _plain_step(sizes, batch, plain_products)
        _seconds(ours, segments)
        _seconds(plain, segments)
        pairs = [(_seconds(ours, segments), _seconds(plain, segments)) for _ in range(repetitions)]
    finally:
        torch.set_num_threads(before)
    tokens = batch * length * steps
    our_speed = tokens / statistics.median(ours for ours, _ in pairs)
    plain_speed = tokens / statistics.median(plain for _, plain in pairs)
    return {
        "tokens_per_second": round(our_speed, 1),
        "plain_loop_tokens_per_second": round(plain_speed, 1),
        "ratio": round(our_speed / plain_speed, 3),
        "batch": batch,
        "length": length,
        "layers": layers,
        "width": width,
        "vocabulary": vocabulary,
        "cutoffs": list(cutoffs),
        "repetitions": repetitions,
        "steps_per_repetition": steps,
        "threads": threads,
        "products": chosen.name,
        "products_reason": chosen.reason,
        "plain_loop_products": "bfloat16" if plain_products == torch.bfloat16 else "float32",
        "torch": torch.__version__,
    }


def _plain_products(ours: torch.dtype) -> torch.dtype:
    """Return our products' type if torch.nn.LSTM supports it, else float32."""
    return ours if ours == torch.bfloat16 and _lstm_takes_bfloat16() else torch.float32


@cache
def _lstm_takes_bfloat16() -> bool:
    """Return whether torch.nn.LSTM supports bfloat16 here; oneDNN requires AVX-512.

    Elsewhere it raises an error: https://github.com/pytorch/pytorch/issues/88136
    """
    try:
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            nn.LSTM(8, 8)(torch.zeros(1, 1, 8))
    except RuntimeError:
        return False
    return True


def zipf_tokens(vocabulary: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Draw tokens int64 [*shape] from a Zipf distribution, the same ones in each call."""
    shares = np.arange(1, vocabulary + 1, dtype=np.float64) ** -ZIPF_EXPONENT
    random = np.random.Generator(np.random.PCG64(1))
    return random.choice(vocabulary, size=shape, p=shares / shares.sum()).astype(np.int64)


def _segments(vocabulary: int, batch: int, length: int, count: int) -> list[Tensor]:
    """Draw segments of tokens int64 [length + 1, batch] from a Zipf distribution."""
    return list(torch.from_numpy(zipf_tokens(vocabulary, (count, length + 1, batch))))


def _seconds(step: Callable[[Tensor], float], segments: list[Tensor]) -> float:
    start = time.perf_counter()
    for segment in segments:
        step(segment)
    return time.perf_counter() - start


def _our_step(sizes: NetworkConfig, batch: int, products: torch.dtype) -> Callable[[Tensor], float]:
    network = Network(sizes, products, torch.Generator().manual_seed(1))
    network.train()
    optimiser = Optimiser(network.parameters(), Schedule(3e-3, 6e-5, 100, 100, 10_000))
    state = network.start(batch)

    def step(segment: Tensor) -> float:
        nonlocal state
        hidden, state = network(segment[:-1], state)
        loss = network.loss(hidden, segment[1:]) / segment[1:].numel()
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return step


def _plain_step(
    sizes: NetworkConfig, batch: int, products: torch.dtype
) -> Callable[[Tensor], float]:
    model = PlainModel(sizes.vocabulary, sizes.layers, sizes.width)
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    zeros = torch.zeros(sizes.layers, batch, sizes.width)
    state: Any = (zeros, zeros)
    in_bfloat16 = products == torch.bfloat16

    def step(segment: Tensor) -> float:
        nonlocal state
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, in_bfloat16):
            scores, state = model(segment[:-1], state)
            loss = nn.functional.cross_entropy(scores.flatten(0, 1), segment[1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        state = tuple(part.detach().float() for part in state)
        return float(loss.detach())

    return step
