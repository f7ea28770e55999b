"""Exact loss of an adaptive softmax tied to the embedding, computed in chunks that fit the cache.

Tokens are numbered by falling frequency. The head is a softmax over the `cutoffs[0]` most frequent
tokens and one vector per cluster of rarer ones. A rare token's log-probability is that of its
cluster in the head plus its log-probability in the cluster's softmax. See Grave et al. 2017,
"Efficient softmax approximation for GPUs"; here the clusters have full width and their rows are
tied to the embedding (Press & Wolf 2017). `cutoffs == (vocabulary,)` is a plain softmax.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

CHUNK_ROWS = 128
FUSED_CHUNK_ROWS = 4096
"""Chunk for CUDA devices: few kernels, and float32 scores of at most 33 MB for a head of 2,000."""

EXACT_CHUNK_ROWS = 512


@dataclass(frozen=True)
class OutputWeights:
    """The four tensors of an output layer.

    `embedding` [vocabulary, width], `bias` [vocabulary], `cluster_vectors` [clusters, width],
    `cluster_bias` [clusters].
    """

    embedding: Tensor
    bias: Tensor
    cluster_vectors: Tensor
    cluster_bias: Tensor

    def head(self, cutoffs: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Return rows [cutoffs[0] + clusters, width] and bias of the head."""
        rows = torch.cat([self.embedding[: cutoffs[0]], self.cluster_vectors])
        return rows, torch.cat([self.bias[: cutoffs[0]], self.cluster_bias])


def clusters(cutoffs: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yield first token and end of each cluster of rarer tokens."""
    return pairwise(cutoffs)


def head_targets(targets: Tensor, cutoffs: tuple[int, ...]) -> Tensor:
    """Return the head's target index for `targets` [n]: the token or its cluster's index."""
    chosen = targets.clone()
    for index, (first, end) in enumerate(clusters(cutoffs)):
        chosen.masked_fill_((targets >= first) & (targets < end), cutoffs[0] + index)
    return chosen


def cluster_members(targets: Tensor, first: int, end: int) -> Tensor:
    """Return the indices of `targets` [n] in the cluster [first, end), int64 [members]."""
    return ((targets >= first) & (targets < end)).nonzero().squeeze(1)


def members_by_cluster(targets: Tensor, cutoffs: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Return the members of each cluster for `targets` [n]. It synchronises a CUDA device."""
    return tuple(cluster_members(targets, first, end) for first, end in clusters(cutoffs))


def summed_loss(
    hidden: Tensor,
    targets: Tensor,
    weights: OutputWeights,
    cutoffs: tuple[int, ...],
    *,
    products: torch.dtype = torch.bfloat16,
    chunk_rows: int = CHUNK_ROWS,
    members: Sequence[Tensor] | None = None,
) -> Tensor:
    """Return the summed negative log-likelihood of `targets` int64 [n] after `hidden` [n, width].

    The result is a differentiable scalar in nats. Matrix products use `products` with float32
    accumulation; everything else uses the type of `hidden`. `members` are those of
    `members_by_cluster`, if they are known already.
    """
    if members is None:
        members = members_by_cluster(targets, cutoffs)
    plan = _Plan(targets, cutoffs, products, chunk_rows, tuple(members))
    loss: Tensor = _TiedSoftmaxLoss.apply(  # type: ignore[no-untyped-call]
        plan,
        hidden,
        weights.embedding,
        weights.bias,
        weights.cluster_vectors,
        weights.cluster_bias,
    )
    return loss


@torch.no_grad()
def log_probs(
    hidden: Tensor, targets: Tensor, weights: OutputWeights, cutoffs: tuple[int, ...]
) -> Tensor:
    """Return log-probabilities [n] of `targets` int64 [n] after `hidden` [n, width], in float32."""
    rows, bias = weights.head(cutoffs)
    log_p = _row_log_probs(hidden, rows, bias, head_targets(targets, cutoffs))
    for first, end in clusters(cutoffs):
        members = cluster_members(targets, first, end)
        rows, bias = weights.embedding[first:end], weights.bias[first:end]
        log_p[members] += _row_log_probs(hidden[members], rows, bias, targets[members] - first)
    return log_p


def _row_log_probs(hidden: Tensor, rows: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    result = torch.empty_like(hidden[:, 0])
    for start in range(0, len(targets), EXACT_CHUNK_ROWS):
        part = slice(start, start + EXACT_CHUNK_ROWS)
        scores = torch.nn.functional.linear(hidden[part], rows, bias)
        result[part] = scores.log_softmax(1).gather(1, targets[part, None]).squeeze(1)
    return result


@dataclass(frozen=True)
class _Plan:
    """The inputs of a loss without gradients; `targets` int64 [n], `members` of each cluster."""

    targets: Tensor
    cutoffs: tuple[int, ...]
    products: torch.dtype
    chunk_rows: int
    members: tuple[Tensor, ...]


@dataclass(frozen=True)
class _Level:
    """Results of one softmax, saved for the backward pass.

    `members` int64 [m]: the hidden rows it was computed for, or None for all. `score_grads` [m, k]:
    gradient of the loss with respect to the scores, in the type of the products.
    """

    members: Tensor | None
    score_grads: Tensor
    bias_grad: Tensor


class _TiedSoftmaxLoss(torch.autograd.Function):
    """The loss; the forward pass overwrites scores with their gradients while they are in cache.

    The backward pass computes the gradient of a level's rows as one product over the whole batch.
    It scales the hidden values instead of the result, so nothing as large as the embedding is
    scaled or summed.
    """

    @staticmethod
    def forward(
        ctx: Any,
        plan: _Plan,
        hidden: Tensor,
        *tensors: Tensor,
    ) -> Tensor:
        weights = OutputWeights(*tensors)
        run = _Pass(hidden, plan)
        rows, bias = weights.head(plan.cutoffs)
        levels = [run.softmax(None, head_targets(plan.targets, plan.cutoffs), rows, bias)]
        for (first, end), members in zip(clusters(plan.cutoffs), plan.members, strict=True):
            rows, bias = weights.embedding[first:end], weights.bias[first:end]
            levels.append(run.softmax(members, plan.targets[members] - first, rows, bias))
        ctx.levels, ctx.plan = levels, plan
        ctx.save_for_backward(hidden, run.hidden_grad)
        return run.loss

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        hidden, hidden_grad = ctx.saved_tensors
        cutoffs, head = ctx.plan.cutoffs, ctx.levels[0]
        scaled = (hidden * scale).to(ctx.plan.products)
        embedding_grad = hidden.new_empty(cutoffs[-1], hidden.shape[1])
        bias_grad = hidden.new_empty(cutoffs[-1])
        head_grad = head.score_grads.T @ scaled
        head_bias_grad = head.bias_grad * scale
        embedding_grad[: cutoffs[0]] = head_grad[: cutoffs[0]]
        bias_grad[: cutoffs[0]] = head_bias_grad[: cutoffs[0]]
        for level, (first, end) in zip(ctx.levels[1:], clusters(cutoffs), strict=True):
            embedding_grad[first:end] = level.score_grads.T @ scaled[level.members]
            bias_grad[first:end] = level.bias_grad * scale
        cluster_grad = head_grad[cutoffs[0] :].to(hidden.dtype)
        by_cluster = head_bias_grad[cutoffs[0] :]
        return None, hidden_grad * scale, embedding_grad, bias_grad, cluster_grad, by_cluster


class _Pass:
    """A forward pass that accumulates the loss and its gradient with respect to `hidden`."""

    def __init__(self, hidden: Tensor, plan: _Plan) -> None:
        self.loss = hidden.new_zeros(())
        self.hidden_grad = torch.zeros_like(hidden)
        self._hidden = hidden.to(plan.products)
        self._plan = plan

    def softmax(
        self, members: Tensor | None, targets: Tensor, rows: Tensor, bias: Tensor
    ) -> _Level:
        """Compute the softmax over `rows` [k, width] for the hidden rows `members` (None: all)."""
        rows = rows.to(self._plan.products)
        hidden = self._hidden if members is None else self._hidden[members]
        score_grads = rows.new_empty(len(hidden), len(rows))
        hidden_grad = self.hidden_grad if members is None else hidden.to(bias.dtype)
        bias_grad = torch.zeros_like(bias)
        for start in range(0, len(hidden), self._plan.chunk_rows):
            part = slice(start, start + self._plan.chunk_rows)
            scores = (hidden[part] @ rows.T).to(bias.dtype).add_(bias)
            grads, loss = _score_gradients(scores, targets[part])
            self.loss += loss
            bias_grad += grads.sum(0)
            score_grads[part] = grads
            hidden_grad[part] = score_grads[part] @ rows
        if members is not None:
            self.hidden_grad.index_add_(0, members, hidden_grad)
        return _Level(members, score_grads, bias_grad)


def _score_gradients(scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient [n, k] of the summed loss and the loss. Overwrites `scores` [n, k]."""
    rows = torch.arange(len(targets), device=targets.device)
    scores -= scores.amax(1, keepdim=True)
    target_scores = scores[rows, targets]
    scores.exp_()
    sums = scores.sum(1, keepdim=True)
    loss = sums.log().sum() - target_scores.sum()
    scores /= sums
    scores[rows, targets] -= 1
    return scores, loss
