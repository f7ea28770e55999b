"""AdamW or SGD with gradient clipping and a learning rate schedule.

The scheduled rate depends on the step only.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wordgate.training.recipe import OptimiserKind


@dataclass(frozen=True)
class Schedule:
    """Learning rate schedule: linear warm-up, constant, cosine decay.

    The rate reaches `learning_rate` after `warmup_steps` and decays to `minimum_learning_rate` over
    the last `decay_steps` of `steps`.
    """

    learning_rate: float
    minimum_learning_rate: float
    warmup_steps: int
    decay_steps: int
    steps: int

    def at(self, step: int) -> float:
        """Return the learning rate of step `step`, counted from 0."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        passed = step - (self.steps - self.decay_steps)
        if passed < 0:
            return self.learning_rate
        share = min(1.0, (passed + 1) / max(1, self.decay_steps))
        fall = (self.learning_rate - self.minimum_learning_rate) * (1 + math.cos(math.pi * share))
        return self.minimum_learning_rate + fall / 2


class Optimiser:
    """AdamW (Loshchilov & Hutter 2019) or plain SGD, with global gradient norm clipping.

    Weight decay applies to matrices only. Restoring a `state_dict` is exact to the bit.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        schedule: Schedule,
        weight_decay: float = 0.01,
        clip_norm: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.99),
        kind: OptimiserKind = "adamw",
    ) -> None:
        self.parameters = list(parameters)
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.step_count = 0
        matrices = [p for p in self.parameters if p.dim() > 1 and p.numel()]
        vectors = [p for p in self.parameters if p.dim() <= 1 and p.numel()]
        groups = [
            {"params": matrices, "weight_decay": weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self._kind = kind
        self._rule: torch.optim.Optimizer = (
            torch.optim.AdamW(groups, lr=0.0, betas=betas, fused=True)
            if kind == "adamw"
            else torch.optim.SGD(groups, lr=0.0)
        )

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return self.schedule.at(self.step_count)

    def step(self, scale: float = 1.0) -> Tensor:
        """Clip the gradients, update the parameters and clear the gradients.

        `scale` multiplies the learning rate of this step. Returns the global gradient norm before
        clipping, a scalar tensor.
        """
        for group in self._rule.param_groups:
            group["lr"] = self.learning_rate * scale
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        self._rule.step()
        self._rule.zero_grad(set_to_none=True)
        self.step_count += 1
        return norm

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to resume exactly, except the parameters."""
        return {"step_count": self.step_count, self._kind: self._rule.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state_dict`."""
        self._rule.load_state_dict(state[self._kind])
        self.step_count = int(state["step_count"])
