"""The language model: an embedding, LSTM layers, and an output tied to the embedding.

Knows numbers of pieces; does not know text, optimisers or files. In training mode its matrix
products are made in `products`, in evaluation mode everything is exact float32.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from wordgate.training.model import adaptive_softmax_loss as output
from wordgate.training.model.lstm import LayerWeights, lstm_layer


@dataclass(frozen=True)
class LSTMConfig:
    """What a network is built from.

    `cuts`: ends of the head and of each cluster of rarer pieces; `(vocabulary,)` for one level.
    """

    vocabulary: int
    layers: int
    width: int
    cuts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.cuts or self.cuts[-1] != self.vocabulary:
            raise ValueError(f"cuts {self.cuts} do not end at the vocabulary, {self.vocabulary}")
        if list(self.cuts) != sorted(set(self.cuts)) or self.cuts[0] < 1:
            raise ValueError(f"cuts {self.cuts} do not increase from 1 or more")


class State(NamedTuple):
    """What the network remembers of each column: both float32 [layers, batch, width]."""

    hidden: Tensor
    cells: Tensor

    def detach(self) -> "State":
        """The same values without their history: what truncated back-propagation carries over."""
        return State(self.hidden.detach(), self.cells.detach())

    def restart(self, columns: Tensor) -> "State":
        """The state with zeros for `columns`, bool [batch]: they begin a new text."""
        kept = ~columns[None, :, None]
        return State(self.hidden * kept, self.cells * kept)


class Layer(nn.Module):
    """The weights of one LSTM layer, gates in the order input, forget, cell, output."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.input_weight = nn.Parameter(torch.empty(4 * width, width))
        self.hidden_weight = nn.Parameter(torch.empty(4 * width, width))
        self.bias = nn.Parameter(torch.empty(4 * width))


class Network(nn.Module):
    """An LSTM language model with tied embeddings (Press & Wolf 2017).

    In training mode matrix products are made in `products` with float32 sums; weights and cells
    are float32. In evaluation mode all is float32.
    """

    def __init__(
        self,
        sizes: LSTMConfig,
        products: torch.dtype = torch.bfloat16,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.sizes = sizes
        self.products = products
        self._table: Tensor | None = None
        """The embedding as the last `forward` gave it on: see `_TiedRows`."""
        clusters = len(sizes.cuts) - 1
        self.embedding = nn.Parameter(torch.empty(sizes.vocabulary, sizes.width))
        self.output_bias = nn.Parameter(torch.empty(sizes.vocabulary))
        self.cluster_vectors = nn.Parameter(torch.empty(clusters, sizes.width))
        self.cluster_bias = nn.Parameter(torch.empty(clusters))
        self.layers = nn.ModuleList(Layer(sizes.width) for _ in range(sizes.layers))
        self.initialise(generator)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator | None = None) -> None:
        """Draw all weights afresh; the forget gates begin open.

        An embedding's length does not depend on the width, so narrow networks do not begin with
        inputs too small to tell apart.
        """
        width = self.sizes.width
        bound = 1 / math.sqrt(width)
        self.embedding.normal_(0.0, 2 * bound, generator=generator)
        self.cluster_vectors.normal_(0.0, 2 * bound, generator=generator)
        self.output_bias.zero_()
        self.cluster_bias.zero_()
        for layer in self._layers():
            layer.input_weight.uniform_(-bound, bound, generator=generator)
            layer.hidden_weight.uniform_(-bound, bound, generator=generator)
            layer.bias.zero_()
            layer.bias[width : 2 * width] = 1.0

    @torch.no_grad()
    def expect(self, shares: Tensor) -> None:
        """Set the output's biases so that, all else being zero, pieces have these probabilities.

        `shares` [vocabulary], all positive; float64 for the sake of rare ones.
        """
        shares = shares / shares.sum()
        head = self.sizes.cuts[0]
        self.output_bias[:head] = shares[:head].log()
        for index, (first, end) in enumerate(output.clusters(self.sizes.cuts)):
            cluster = shares[first:end]
            self.cluster_bias[index] = cluster.sum().log()
            self.output_bias[first:end] = (cluster / cluster.sum()).log()

    def start(self, batch: int) -> State:
        """The zero state of `batch` columns, from which a text begins."""
        shape = (self.sizes.layers, batch, self.sizes.width)
        zeros = torch.zeros(shape, dtype=self.embedding.dtype, device=self.embedding.device)
        return State(zeros, zeros.clone())

    def forward(
        self,
        tokens: Tensor,
        state: State,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, State]:
        """Read `tokens` int64 [time, batch] from `state`.

        Returns the top hidden values float32 [time, batch, width] and the new state, which is
        detached. `dropout` is the share of the embeddings, of the values between layers and of
        the top values that is dropped, the same ones at all times (Gal & Ghahramani 2016); drawn
        from `generator`.
        """
        products = self.products if self.training else self.embedding.dtype
        pieces, index = tokens.unique(return_inverse=True)
        values, self._table = _TiedRows.apply(self.embedding, pieces)  # type: ignore[no-untyped-call]
        where: Tensor | None = index
        states = []
        for layer, hidden, cells in zip(self._layers(), *state, strict=True):
            if dropout:
                values = values if where is None else nn.functional.embedding(where, values)
                values, where = locked_dropout(values, dropout, generator), None
            weights = LayerWeights(layer.input_weight, layer.hidden_weight, layer.bias)
            read = lstm_layer(values, hidden, cells, weights, index=where, products=products)
            values, where = read.values, None
            states.append((read.hidden, read.cells))
        top = locked_dropout(values, dropout, generator)
        return top, State(*(torch.stack(part) for part in zip(*states, strict=True))).detach()

    def loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Summed negative log-likelihood, natural logarithm, float32 [], differentiable.

        `hidden` [..., width] and `targets` int64 [...].
        """
        return output.summed_loss(
            hidden.reshape(-1, self.sizes.width),
            targets.reshape(-1),
            self._output(),
            self.sizes.cuts,
            products=self.products if self.training else self.embedding.dtype,
        )

    def log_probs(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Exact float32 log-probabilities [n] of `targets` int64 [n] after `hidden` [n, width]."""
        return output.log_probs(hidden, targets, self._output(), self.sizes.cuts)

    def _layers(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def _output(self) -> output.OutputWeights:
        """The output layer, with the table that the last `forward` made, once."""
        table, self._table = self._table, None
        return output.OutputWeights(
            self.embedding if table is None else table,
            self.output_bias,
            self.cluster_vectors,
            self.cluster_bias,
        )


class _TiedRows(torch.autograd.Function):
    """Rows of the embedding, and the embedding itself for the output layer.

    So the gradient of the rows is added to that of the output layer in place, instead of two
    gradients as large as the embedding being made and added up.
    """

    @staticmethod
    def forward(ctx: Any, embedding: Tensor, pieces: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(pieces)
        return embedding[pieces], embedding.view_as(embedding)

    @staticmethod
    def backward(ctx: Any, row_grads: Tensor, table_grad: Tensor) -> tuple[Tensor, None]:
        (pieces,) = ctx.saved_tensors
        return table_grad.index_add_(0, pieces, row_grads), None


def locked_dropout(values: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Drop `share` of [batch, width], the same ones at all times of `values` [time, batch, width].

    The kept values grow by 1 / (1 - share). Drawn where the generator is, so that a training that
    goes on on another device draws the same. Gal & Ghahramani 2016, "A theoretically grounded
    application of dropout in recurrent neural networks".
    """
    if not share:
        return values
    shape = (1, *values.shape[1:])
    device = values.device if generator is None else generator.device
    mask = torch.rand(shape, generator=generator, device=device) >= share
    return values * (mask.to(values.device, values.dtype) / (1 - share))
