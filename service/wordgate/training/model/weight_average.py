"""Averaging of the weights once the held-out perplexity stops falling (NT-ASGD).

Merity et al. 2017, algorithm 1, arXiv 1708.02182. Averaged SGD: Polyak & Juditsky 1992.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from wordgate.training.model.network import Network


class WeightAverage:
    """The mean of a network's weights since the trigger.

    `patience` is the number of evaluations without improvement that trigger averaging; 0 never
    does.
    """

    def __init__(self, network: Network, patience: int) -> None:
        self._network = network
        self._patience = patience
        self._perplexities: list[float] = []
        self._average: AveragedModel | None = None

    @property
    def network(self) -> Network:
        """The network with the averaged weights; before the trigger, the one in training."""
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

    def _begin(self) -> AveragedModel:
        self._average = AveragedModel(self._network)
        self._average.update_parameters(self._network)
        return self._average


def triggers(before: Sequence[float], perplexity: float, patience: int) -> bool:
    """Return whether `perplexity` is above the best of `before` without its last `patience`."""
    if not patience:
        return False
    earlier = before[:-patience]
    return bool(earlier) and perplexity > min(earlier)
