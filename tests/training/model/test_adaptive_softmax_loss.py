"""The chunked loss against the plain formula with autograd in float64."""

import pytest
import torch
from torch import Tensor

from wordgate.training.model.adaptive_softmax_loss import (
    OutputWeights,
    head_targets,
    log_probs,
    summed_loss,
)

WIDTH = 8
CUTOFFS = [(5, 11, 24), (24,), (3, 24)]


def made(cutoffs: tuple[int, ...], rows: int = 50) -> tuple[Tensor, Tensor, OutputWeights]:
    """Return hidden values [rows, 8], targets [rows] and weights with gradients, in float64."""
    random = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64).requires_grad_()

    clusters = len(cutoffs) - 1
    weights = OutputWeights(draw(24, WIDTH), draw(24), draw(clusters, WIDTH), draw(clusters))
    return draw(rows, WIDTH), torch.randint(0, 24, (rows,), generator=random), weights


def tensors(hidden: Tensor, weights: OutputWeights) -> list[Tensor]:
    """Return the tensors with gradients."""
    return [
        hidden,
        weights.embedding,
        weights.bias,
        weights.cluster_vectors,
        weights.cluster_bias,
    ]


def plain_loss(
    hidden: Tensor, targets: Tensor, weights: OutputWeights, cutoffs: tuple[int, ...]
) -> Tensor:
    """Compute the loss token by token."""
    rows, bias = weights.head(cutoffs)
    head = (hidden @ rows.T + bias).log_softmax(1)
    total = hidden.new_zeros(())
    for row, target in enumerate(targets.tolist()):
        if target < cutoffs[0]:
            total = total - head[row, target]
            continue
        cluster = next(index for index, end in enumerate(cutoffs[1:]) if target < end)
        first, end = cutoffs[cluster], cutoffs[cluster + 1]
        tail = weights.embedding[first:end] @ hidden[row] + weights.bias[first:end]
        total = total - head[row, cutoffs[0] + cluster] - tail.log_softmax(0)[target - first]
    return total


def gradients(loss: Tensor, sources: list[Tensor]) -> list[Tensor]:
    """Return the gradients of 1/4 of the loss, to test scaling too."""
    return list(torch.autograd.grad(loss * 0.25, sources, materialize_grads=True))


@pytest.mark.parametrize("cutoffs", CUTOFFS)
@pytest.mark.parametrize("chunk_rows", [7, 128])
def test_loss_and_gradients_are_those_of_the_formula(
    cutoffs: tuple[int, ...], chunk_rows: int
) -> None:
    """Loss and gradients equal those of the formula for any chunk size."""
    hidden, targets, weights = made(cutoffs)
    loss = summed_loss(
        hidden, targets, weights, cutoffs, products=torch.float64, chunk_rows=chunk_rows
    )
    expected = plain_loss(hidden, targets, weights, cutoffs)
    torch.testing.assert_close(loss, expected)
    sources = tensors(hidden, weights)
    for found, wanted in zip(gradients(loss, sources), gradients(expected, sources), strict=True):
        torch.testing.assert_close(found, wanted)


def test_a_cluster_without_targets_has_zero_gradient() -> None:
    """Tokens of a cluster without targets get zero gradients, not uninitialised memory."""
    cutoffs = (5, 11, 24)
    hidden, targets, weights = made(cutoffs)
    loss = summed_loss(hidden, targets % 5, weights, cutoffs, products=torch.float64)
    (found,) = torch.autograd.grad(loss, [weights.embedding])
    assert not found[5:].any()
    assert found[:5].any()


def test_bfloat16_products_stay_near_the_formula() -> None:
    """With bfloat16 products the loss is within 1 % and the gradients have a similar direction."""
    cutoffs = (5, 11, 24)
    hidden, targets, weights = made(cutoffs, rows=300)
    single = OutputWeights(
        *(part.detach().float().requires_grad_() for part in tensors(hidden, weights)[1:])
    )
    rows = hidden.detach().float().requires_grad_()
    loss = summed_loss(rows, targets, single, cutoffs)
    expected = plain_loss(hidden, targets, weights, cutoffs)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=0.01)
    pairs = zip(
        gradients(loss, tensors(rows, single)),
        gradients(expected, tensors(hidden, weights)),
        strict=True,
    )
    for found, wanted in pairs:
        likeness = torch.cosine_similarity(found.double().flatten(), wanted.flatten(), dim=0)
        assert likeness > 0.999


@pytest.mark.parametrize("cutoffs", CUTOFFS)
def test_probabilities_sum_to_one(cutoffs: tuple[int, ...]) -> None:
    """Probabilities over the vocabulary sum to one, with one level or two."""
    hidden, _, weights = made(cutoffs)
    everyone = torch.arange(24)
    for row in hidden[:3]:
        found = log_probs(row.expand(24, WIDTH), everyone, weights, cutoffs)
        assert float(found.exp().sum()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("cutoffs", CUTOFFS)
def test_log_probs_are_the_loss(cutoffs: tuple[int, ...]) -> None:
    """`log_probs` and the loss agree."""
    hidden, targets, weights = made(cutoffs, rows=600)
    found = log_probs(hidden, targets, weights, cutoffs)
    loss = summed_loss(hidden, targets, weights, cutoffs, products=torch.float64)
    torch.testing.assert_close(-found.sum(), loss.detach())


def test_a_far_outlier_has_a_finite_loss() -> None:
    """A target 1,000 below the best score costs 1,000, not infinity."""
    _, _, weights = made((24,))
    hidden = torch.zeros(1, WIDTH, dtype=torch.float64)
    bias = torch.zeros(24, dtype=torch.float64)
    bias[3] = 1000
    distant = OutputWeights(weights.embedding, bias, *tensors(hidden, weights)[3:])
    loss = summed_loss(hidden, torch.tensor([0]), distant, (24,), products=torch.float64)
    assert float(loss.detach()) == pytest.approx(1000)


def test_the_head_is_asked_for_a_cluster_s_place() -> None:
    """Rare tokens map to the index of their cluster's vector after the head."""
    found = head_targets(torch.tensor([0, 4, 5, 10, 11, 23]), (5, 11, 24))
    assert found.tolist() == [0, 4, 5, 5, 6, 6]
