"""Parity of the ONNX graphs with the PyTorch network.

Each passage is read from the zero state, starting with `<eos>`, and truncated to 256 tokens.
Passages that fit are followed by `<eos>`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from wordgate.evaluation.perplexity import perplexity_of
from wordgate.lm.requests import Model, ModelTask, State, Step, TokenLogProbs, run_to_completion
from wordgate.lm.tokenizer import EOS
from wordgate.training.held_out import MAX_TOKENS
from wordgate.training.model.network import Network

Passage = NDArray[np.int64]
_TOGETHER = 64


@dataclass(frozen=True)
class Agreement:
    """Comparison of log-probabilities of the same tokens from two sources."""

    largest_difference: float
    token_perplexity: float
    reference_token_perplexity: float
    tokens: int

    @property
    def perplexity_ratio(self) -> float:
        """Perplexity divided by the reference's; 1 means no loss."""
        return self.token_perplexity / self.reference_token_perplexity


def compare(log_probs: Sequence[float], reference: Sequence[float]) -> Agreement:
    """Compare log-probabilities token by token."""
    differences = np.abs(np.array(log_probs) - np.array(reference))
    return Agreement(
        largest_difference=float(differences.max()),
        token_perplexity=_perplexity(log_probs),
        reference_token_perplexity=_perplexity(reference),
        tokens=len(log_probs),
    )


def served_log_probs(model: Model, passages: Sequence[Passage]) -> list[float]:
    """Return the served model's log-probability of each token of the passages, in order."""
    log_probs: list[float] = []
    for first in range(0, len(passages), _TOGETHER):
        log_probs += run_to_completion(
            _read_along(model.start, passages[first : first + _TOGETHER]), model
        )
    return log_probs


@torch.no_grad()
def trained_log_probs(network: Network, passages: Sequence[Passage]) -> list[float]:
    """Return the trained network's log-probabilities of the same tokens, in float32."""
    network.eval()
    log_probs: list[float] = []
    for passage in passages:
        line = torch.from_numpy(_line(passage))
        top, _ = network(line[:-1, None], network.start(1))
        log_probs += network.log_probs(top[:, 0], line[1:]).tolist()
    return log_probs


def _perplexity(log_probs: Sequence[float]) -> float:
    return perplexity_of(-math.fsum(log_probs), len(log_probs))


def _line(passage: Passage) -> Passage:
    """Return `<eos>`, the passage and `<eos>`, truncated to the length evaluated in training."""
    return np.concatenate([[EOS], passage, [EOS]])[: MAX_TOKENS + 1]


def _read_along(start: State, passages: Sequence[Passage]) -> ModelTask[list[float]]:
    """Read passages in parallel, requesting the log-probability of each token before reading it."""
    sequences = [_line(passage).tolist() for passage in passages]
    states: list[State] = [start] * len(sequences)
    found: list[list[float]] = [[] for _ in sequences]
    for place in range(max(map(len, sequences)) - 1):
        alive = [n for n, sequence in enumerate(sequences) if place < len(sequence) - 1]
        after = yield Step([(states[n], sequences[n][place]) for n in alive])
        for n, state in zip(alive, after, strict=True):
            states[n] = state
        answers = yield TokenLogProbs([(states[n], sequences[n][place + 1]) for n in alive])
        for n, answer in zip(alive, answers, strict=True):
            found[n].append(answer)
    return [value for values in found for value in values]
