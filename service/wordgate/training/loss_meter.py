"""The training loss since the last record."""

from torch import Tensor


class LossMeter:
    """Loss in nats and number of tokens since the last record.

    Losses are added up on their device. `settle` moves their sum to the host, which waits for the
    device.
    """

    def __init__(self, surprisal: float = 0.0, tokens: int = 0) -> None:
        self.surprisal = surprisal
        """Loss of the updates that were settled."""
        self.tokens = tokens
        self._pending: Tensor | None = None

    def add(self, loss: Tensor, tokens: int) -> None:
        """Add the summed loss of `tokens` tokens, a scalar without a gradient."""
        self._pending = loss.double() if self._pending is None else self._pending + loss
        self.tokens += tokens

    def settle(self) -> float:
        """Include the losses that were added, and return their sum."""
        settled = 0.0 if self._pending is None else float(self._pending)
        self.surprisal += settled
        self._pending = None
        return settled
