"""The language model in PyTorch: an embedding, recurrent layers, and a tied output layer.

In training mode matrix products use `products`; in evaluation mode everything is exact float32.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from wordgate.training.model import adaptive_softmax_loss as output
from wordgate.training.model.cells import GATES, recurrent_layer
from wordgate.training.model.dropout import (
    DropoutRates,
    embedding_dropout,
    locked_dropout,
    weight_drop,
)
from wordgate.training.model.fused_lstm import fused_lstm
from wordgate.training.model.lstm import LayerWeights
from wordgate.training.recipe import Cell

_NO_DROPOUT = DropoutRates()


@dataclass(frozen=True)
class NetworkConfig:
    """The sizes of a network and the cell of its layers.

    `cutoffs`: ends of the head and of each cluster of rarer tokens; `(vocabulary,)` for one level.
    `width`: of the embeddings and the top layer; `hidden_width`: of the layers below it, by default
    the same.
    """

    vocabulary: int
    layers: int
    width: int
    cutoffs: tuple[int, ...]
    cell: Cell = "lstm"
    hidden_width: int | None = None

    @property
    def widths(self) -> tuple[int, ...]:
        """The width of each layer."""
        return (*(self.hidden_width or self.width,) * (self.layers - 1), self.width)

    def __post_init__(self) -> None:
        if not self.cutoffs or self.cutoffs[-1] != self.vocabulary:
            raise ValueError(
                f"cutoffs {self.cutoffs} do not end at the vocabulary, {self.vocabulary}"
            )
        if list(self.cutoffs) != sorted(set(self.cutoffs)) or self.cutoffs[0] < 1:
            raise ValueError(f"cutoffs {self.cutoffs} must be positive and increasing")


class DistinctTokens(NamedTuple):
    """The distinct tokens of a segment in rising order, and where each token is among them.

    `tokens` int64 [distinct], `places` int64 [time, batch].
    """

    tokens: Tensor
    places: Tensor


class State(NamedTuple):
    """The recurrent state of each column, float32 [layers, batch, width] each.

    Without an LSTM the cells stay zero. The state of a layer narrower than others ends with zeros.
    """

    hidden: Tensor
    cells: Tensor

    def detach(self) -> "State":
        """Return the state detached from the autograd graph (truncated back-propagation)."""
        return State(self.hidden.detach(), self.cells.detach())

    def restart(self, columns: Tensor) -> "State":
        """Return the state with `columns` (bool [batch]) zeroed; they begin a new text."""
        kept = ~columns[None, :, None]
        return State(self.hidden * kept, self.cells * kept)


class Layer(nn.Module):
    """The weights of one layer, gates in the order of `cells.GATES`."""

    def __init__(self, inputs: int, width: int, gates: int) -> None:
        super().__init__()
        self.width = width
        self.input_weight = nn.Parameter(torch.empty(gates * width, inputs))
        self.hidden_weight = nn.Parameter(torch.empty(gates * width, width))
        self.bias = nn.Parameter(torch.empty(gates * width))

    def weights(self, drop: float, generator: torch.Generator | None) -> LayerWeights:
        """Return the weights, with the share `drop` of the recurrent ones zeroed."""
        recurrent = weight_drop(self.hidden_weight, drop, generator)
        return LayerWeights(self.input_weight, recurrent, self.bias)


class Network(nn.Module):
    """A recurrent language model with tied embeddings (Press & Wolf 2017).

    In training mode matrix products use `products` with float32 accumulation; weights and cells
    are float32. In evaluation mode everything is float32.
    """

    def __init__(
        self,
        sizes: NetworkConfig,
        products: torch.dtype = torch.bfloat16,
        generator: torch.Generator | None = None,
        *,
        fused: bool | None = None,
    ) -> None:
        """`fused`: run LSTMs by `fused_lstm`; by default on CUDA devices only."""
        super().__init__()
        self.sizes = sizes
        self.products = products
        self._fused = fused
        self._table: Tensor | None = None
        """The embedding returned by the last `forward`, see `_TiedRows`."""
        clusters = len(sizes.cutoffs) - 1
        self.embedding = nn.Parameter(torch.empty(sizes.vocabulary, sizes.width))
        self.output_bias = nn.Parameter(torch.empty(sizes.vocabulary))
        self.cluster_vectors = nn.Parameter(torch.empty(clusters, sizes.width))
        self.cluster_bias = nn.Parameter(torch.empty(clusters))
        inputs, gates = (sizes.width, *sizes.widths[:-1]), GATES[sizes.cell]
        self.layers = nn.ModuleList(
            Layer(*shape, gates) for shape in zip(inputs, sizes.widths, strict=True)
        )
        self.initialise(generator)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator | None = None) -> None:
        """Initialise all weights at random, with biases of 1 for gates that keep the old state.

        The norm of an embedding does not depend on the width. Otherwise the inputs of narrow
        networks would be too small to distinguish.
        """
        bound = 1 / math.sqrt(self.sizes.width)
        self.embedding.normal_(0.0, 2 * bound, generator=generator)
        self.cluster_vectors.normal_(0.0, 2 * bound, generator=generator)
        self.output_bias.zero_()
        self.cluster_bias.zero_()
        for layer in self._layers():
            bound = 1 / math.sqrt(layer.width)
            layer.input_weight.uniform_(-bound, bound, generator=generator)
            layer.hidden_weight.uniform_(-bound, bound, generator=generator)
            layer.bias.zero_()
            if GATES[self.sizes.cell] > 1:
                layer.bias[layer.width : 2 * layer.width] = 1.0

    @torch.no_grad()
    def expect(self, shares: Tensor) -> None:
        """Initialise the output biases with unigram probabilities proportional to `shares`.

        `shares` [vocabulary] must be positive; use float64 to keep rare tokens accurate.
        """
        shares = shares / shares.sum()
        head = self.sizes.cutoffs[0]
        self.output_bias[:head] = shares[:head].log()
        for index, (first, end) in enumerate(output.clusters(self.sizes.cutoffs)):
            cluster = shares[first:end]
            self.cluster_bias[index] = cluster.sum().log()
            self.output_bias[first:end] = (cluster / cluster.sum()).log()

    @torch.no_grad()
    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Load the weights of another network of the same sizes."""
        for name, parameter in self.named_parameters():
            parameter.copy_(weights[name])

    def start(self, batch: int) -> State:
        """Return the zero state of `batch` columns, the start of a text."""
        shape = (self.sizes.layers, batch, max(self.sizes.widths))
        zeros = torch.zeros(shape, dtype=self.embedding.dtype, device=self.embedding.device)
        return State(zeros, zeros.clone())

    def forward(
        self,
        tokens: Tensor,
        state: State,
        dropout: DropoutRates = _NO_DROPOUT,
        generator: torch.Generator | None = None,
        distinct: DistinctTokens | None = None,
    ) -> tuple[Tensor, State]:
        """Read `tokens` int64 [time, batch], starting from `state`.

        Returns the top hidden values float32 [time, batch, width] and the new state, which is
        detached. The masks of `dropout` are drawn from `generator`. Dropout of the top values is
        left to the caller: activation regularisation needs them with and without. `distinct` are
        the distinct `tokens`, if they are known already: finding them synchronises a CUDA device.
        """
        products = self.products if self.training else self.embedding.dtype
        unique, index = distinct or tokens.unique(return_inverse=True)
        values, self._table = _TiedRows.apply(self.embedding, unique)  # type: ignore[no-untyped-call]
        values = embedding_dropout(values, dropout.embedding, generator)
        if self.is_fused:
            values = nn.functional.embedding(index, values)
            return self._read_fused(values, state, dropout, generator, products)
        where: Tensor | None = index
        rate = dropout.input
        states = []
        for layer, hidden, cells in zip(self._layers(), *state, strict=True):
            if rate:
                values = values if where is None else nn.functional.embedding(where, values)
                values, where = locked_dropout(values, rate, generator), None
            weights = layer.weights(dropout.recurrent, generator)
            own = hidden[:, : layer.width], cells[:, : layer.width]
            read = recurrent_layer(
                self.sizes.cell, values, *own, weights, index=where, products=products
            )
            values, where, rate = read.values, None, dropout.layer
            states.append(self._padded(read.hidden, read.cells))
        return values, State(*(torch.stack(part) for part in zip(*states, strict=True))).detach()

    def _padded(self, *parts: Tensor) -> list[Tensor]:
        """Return parts of a state [..., width] with the width of the widest layer."""
        widest = max(self.sizes.widths)
        return [nn.functional.pad(part, (0, widest - part.shape[-1])) for part in parts]

    @property
    def is_fused(self) -> bool:
        """Whether the layers run in torch's kernels, see `fused_lstm`."""
        fused = self.embedding.is_cuda if self._fused is None else self._fused
        return fused and self.sizes.cell == "lstm"

    def _read_fused(
        self,
        values: Tensor,
        state: State,
        dropout: DropoutRates,
        generator: torch.Generator | None,
        products: torch.dtype,
    ) -> tuple[Tensor, State]:
        """Read `values` [time, batch, width]: all layers in one call, or each in its own.

        Masks are drawn in the same order as for our own layers.
        """
        values = locked_dropout(values, dropout.input, generator)
        layers, states = self._layers(), []
        is_single = dropout.layer > 0 or self.sizes.hidden_width is not None
        size = 1 if is_single else len(layers)
        for first in range(0, len(layers), size):
            if first:
                values = locked_dropout(values, dropout.layer, generator)
            part = layers[first : first + size]
            hidden, cells = (each[first : first + size, :, : part[0].width] for each in state)
            weights = [layer.weights(dropout.recurrent, generator) for layer in part]
            read = fused_lstm(values, hidden, cells, weights, products=products)
            values = read.values
            states.append(self._padded(read.hidden, read.cells))
        return values, State(*(torch.cat(part) for part in zip(*states, strict=True))).detach()

    def loss(
        self, hidden: Tensor, targets: Tensor, members: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Return the summed negative log-likelihood in nats, a differentiable float32 scalar.

        `hidden` [..., width] and `targets` int64 [...]. `members`: the indices of the flat targets
        in each cluster of rarer tokens, if they are known already, as `distinct` in `forward`.
        """
        return output.summed_loss(
            hidden.reshape(-1, self.sizes.width),
            targets.reshape(-1),
            self._output(),
            self.sizes.cutoffs,
            products=self.products if self.training else self.embedding.dtype,
            chunk_rows=output.FUSED_CHUNK_ROWS if self.is_fused else output.CHUNK_ROWS,
            members=members,
        )

    def log_probs(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Return exact float32 log-probabilities [n] of `targets` [n] after `hidden` [n, width]."""
        return output.log_probs(hidden, targets, self._output(), self.sizes.cutoffs)

    def _layers(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def _output(self) -> output.OutputWeights:
        """Return the output weights, using up the embedding returned by the last `forward`."""
        table, self._table = self._table, None
        return output.OutputWeights(
            self.embedding if table is None else table,
            self.output_bias,
            self.cluster_vectors,
            self.cluster_bias,
        )


class _TiedRows(torch.autograd.Function):
    """Return rows of the embedding, and the embedding itself for the output layer.

    The backward pass adds the rows' gradient to the output layer's gradient in place. Autograd
    would allocate and sum two gradients as large as the embedding.
    """

    @staticmethod
    def forward(ctx: Any, embedding: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(tokens)
        return embedding[tokens], embedding.view_as(embedding)

    @staticmethod
    def backward(ctx: Any, row_grads: Tensor, table_grad: Tensor) -> tuple[Tensor, None]:
        (tokens,) = ctx.saved_tensors
        return table_grad.index_add_(0, tokens, row_grads), None
