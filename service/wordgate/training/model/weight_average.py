"""Averages of the weights: a moving one, or one since the held-out perplexity stopped falling.

Averaged SGD: Polyak & Juditsky 1992. NT-ASGD: Merity et al. 2017, algorithm 1, arXiv 1708.02182.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from wordgate.training.model.network import Network

_Tensors = tuple[Tensor, ...] | list[Tensor]


class WeightAverage:
    """An average of a network's weights.

    `patience` is the number of evaluations without improvement that trigger the mean of all later
    weights; 0 never does. With a `decay`, the average is an exponential moving one from the first
    update on, and nothing triggers.
    """

    def __init__(self, network: Network, patience: int = 0, decay: float = 0.0) -> None:
        self._network = network
        self._patience = patience
        self._decay = decay
        self._perplexities: list[float] = []
        self._average: AveragedModel | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether the weights are averaged, or may be later."""
        return bool(self._patience or self._decay)

    @property
    def network(self) -> Network:
        """The network with the averaged weights; before averaging begins, the one in training."""
        averaged = self._average.module if self._average else self._network
        if not isinstance(averaged, Network):
            raise TypeError(type(averaged))
        return averaged

    def observe(self, perplexity: float) -> None:
        """Record a held-out perplexity, and begin the average at the current weights if it is due.

        The perplexity of an average is not recorded.
        """
        if self._average:
            return
        if triggers(self._perplexities, perplexity, self._patience):
            self._begin()
        self._perplexities.append(perplexity)

    def update(self) -> None:
        """Include the current weights in the average if it has begun."""
        if self._average:
            self._average.update_parameters(self._network)
        elif self._decay:
            self._begin()

    def state(self) -> dict[str, Any]:
        """Return the JSON-serialisable state; the averaged weights are those of `network`."""
        count = int(self._average.n_averaged) if self._average else 0
        return {"perplexities": list(self._perplexities), "count": count}

    def restore(self, state: dict[str, Any], averaged: dict[str, Tensor]) -> None:
        """Restore a `state` and the averaged weights, which are not used if `count` is 0."""
        self._perplexities = list(state["perplexities"])
        if state["count"]:
            average = self._begin()
            self.network.load_weights(averaged)
            average.n_averaged.fill_(state["count"])

    def _move(self, averaged: _Tensors, current: _Tensors, _: Tensor | int) -> None:
        """Move the average towards the current weights: the n-th ones count 4 / (5 + n) or more."""
        if self._average:
            before = int(self._average.n_averaged)  # on the CPU, unlike the argument
            kept = min(self._decay, (1 + before) / (5 + before))
            torch._foreach_lerp_(averaged, current, 1 - kept)

    def _begin(self) -> AveragedModel:
        rule = self._move if self._decay else None
        self._average = AveragedModel(self._network, multi_avg_fn=rule)
        self._average.update_parameters(self._network)
        return self._average


def triggers(before: Sequence[float], perplexity: float, patience: int) -> bool:
    """Return whether `perplexity` is above the best of `before` without its last `patience`."""
    if not patience:
        return False
    earlier = before[:-patience]
    return bool(earlier) and perplexity > min(earlier)
