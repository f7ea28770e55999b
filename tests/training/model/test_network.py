"""The PyTorch network: shapes, names, state and gradients."""

import itertools
from typing import Any

import pytest
import torch

from wordgate.training.model.adaptive_softmax_loss import members_by_cluster
from wordgate.training.model.dropout import DropoutRates
from wordgate.training.model.network import DistinctTokens, Network, NetworkConfig, State

SIZES = NetworkConfig(vocabulary=40, layers=2, width=12, cutoffs=(8, 20, 40))


def made(sizes: NetworkConfig = SIZES, products: torch.dtype = torch.float32) -> Network:
    """Return a small network."""
    return Network(sizes, products, torch.Generator().manual_seed(1))


def tokens(times: int = 6, batch: int = 3) -> torch.Tensor:
    """Return tokens [times, batch]."""
    return torch.randint(0, 40, (times, batch), generator=torch.Generator().manual_seed(2))


def test_parameters_have_the_published_names_and_shapes() -> None:
    """Parameter names and shapes are stable; published weights depend on them."""
    shapes = {name: tuple(part.shape) for name, part in made().named_parameters()}
    layer = {"input_weight": (48, 12), "hidden_weight": (48, 12), "bias": (48,)}
    assert shapes == {
        "embedding": (40, 12),
        "output_bias": (40,),
        "cluster_vectors": (2, 12),
        "cluster_bias": (2,),
        **{f"layers.{index}.{name}": shape for index in (0, 1) for name, shape in layer.items()},
    }


@pytest.mark.parametrize("cutoffs", [(8, 20), (20, 8, 40), (0, 40), (8, 8, 40), ()])
def test_cutoffs_that_do_not_fit_are_refused(cutoffs: tuple[int, ...]) -> None:
    """Cutoffs must be positive, increase and end at the vocabulary."""
    with pytest.raises(ValueError, match="cutoffs"):
        NetworkConfig(vocabulary=40, layers=1, width=4, cutoffs=cutoffs)


def test_reading_in_two_segments_equals_reading_in_one() -> None:
    """The state carries everything between segments."""
    network = made().eval()
    read = tokens(8)
    whole, last = network(read, network.start(3))
    first, state = network(read[:5], network.start(3))
    second, state = network(read[5:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(state, last)


def test_gradients_are_those_of_plain_torch() -> None:
    """Gradients equal those of an embedding, torch.nn.LSTM and a tied full softmax."""
    network = made(NetworkConfig(40, 2, 12, (40,)))
    _equals_plain_torch(network, torch.nn.LSTM(12, 12), torch.nn.LSTM(12, 12))


def test_lower_layers_may_have_another_width() -> None:
    """Loss, gradients and carried state equal those of torch.nn.LSTM layers of several widths."""
    for hidden_width in (20, 7):
        network = made(NetworkConfig(40, 3, 12, (40,), hidden_width=hidden_width))
        sizes = [(12, hidden_width), (hidden_width, hidden_width), (hidden_width, 12)]
        _equals_plain_torch(network, *(torch.nn.LSTM(*size) for size in sizes))


def _equals_plain_torch(network: Network, *theirs: torch.nn.LSTM) -> None:
    """Compare two segments, the second from the state after the first, with torch's layers."""
    table = network.embedding.detach().clone().requires_grad_()
    for index, layer in enumerate(theirs):
        ours = network.get_submodule(f"layers.{index}").state_dict()
        weights = [*ours.values(), torch.zeros(4 * layer.hidden_size)]
        for parameter, value in zip(layer.parameters(), weights, strict=True):
            parameter.data.copy_(value)
    states: list[Any] = [None] * len(theirs)
    state = network.start(3)
    for read, targets in itertools.pairwise(tokens(12).split(4)):
        hidden, state = network(read, state)
        values = torch.nn.functional.embedding(read, table)
        for index, layer in enumerate(theirs):
            values, last = layer(values, states[index])
            states[index] = tuple(part.detach() for part in last)
        scores = values @ table.T + network.output_bias.detach()
        wanted = torch.nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten())
        loss = network.loss(hidden, targets) / targets.numel()
        torch.testing.assert_close(loss, wanted)
        loss.backward()
        wanted.backward()
    torch.testing.assert_close(network.embedding.grad, table.grad)
    for index, layer in enumerate(theirs):
        found = [part.grad for part in network.get_submodule(f"layers.{index}").parameters()]
        expected = [part.grad for part in layer.parameters()][:3]
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("between", [0.0, 0.3])
@pytest.mark.parametrize(("cutoffs", "hidden_width"), [((8, 20, 40), None), ((40,), 20)])
def test_fused_layers_have_the_same_loss_and_gradients(
    between: float, cutoffs: tuple[int, ...], hidden_width: int | None
) -> None:
    """With the same masks, the path for GPUs differs from ours by rounding only, on the CPU."""
    sizes = NetworkConfig(40, 2, 12, cutoffs, hidden_width=hidden_width)
    rates = DropoutRates(input=0.2, layer=between, embedding=0.2, recurrent=0.3)
    read = tokens()
    flat = read[1:].flatten()
    distinct = DistinctTokens(*read[:-1].unique(return_inverse=True))
    members = members_by_cluster(flat, cutoffs)
    found = []
    for fused in (False, True):
        network = Network(
            sizes, torch.float32, torch.Generator().manual_seed(1), fused=fused
        ).train()
        known = {"distinct": distinct} if fused else {}
        shape = (2, 3, hidden_width or 12)
        state = State(torch.full(shape, 0.1), torch.full(shape, -0.2))
        random = torch.Generator().manual_seed(4)
        hidden, state = network(read[:-1], state, rates, random, **known)
        loss = network.loss(hidden, read[1:], members if fused else None)
        gradients = torch.autograd.grad(loss, list(network.parameters()), materialize_grads=True)
        found.append([loss, hidden, *state, *gradients])
    for own, fused_part in zip(*found, strict=True):
        torch.testing.assert_close(fused_part, own, rtol=1e-5, atol=1e-6)


def test_the_loss_may_be_asked_again() -> None:
    """A second loss of the same hidden values has the complete gradient too."""
    network = made()
    read = tokens()
    found: list[torch.Tensor] = []
    for _ in range(2):
        hidden, _ = network(read[:-1], network.start(3))
        if found:
            network.loss(hidden, read[1:])
        found.append(torch.autograd.grad(network.loss(hidden, read[1:]), [network.embedding])[0])
    torch.testing.assert_close(found[0], found[1])


def test_log_probs_agree_with_the_loss() -> None:
    """`log_probs` agrees with the training loss."""
    network = made().eval()
    read = tokens()
    hidden, _ = network(read[:-1], network.start(3))
    found = network.log_probs(hidden.flatten(0, 1), read[1:].flatten())
    torch.testing.assert_close(-found.sum(), network.loss(hidden, read[1:]).detach())


def test_restarted_columns_begin_from_zero() -> None:
    """Restarting zeroes the state of the given columns only."""
    state = State(torch.ones(2, 3, 12), torch.ones(2, 3, 12))
    fresh = state.restart(torch.tensor([False, True, False]))
    for part in fresh:
        assert not part[:, 1].any()
        assert bool((part[:, [0, 2]] == 1).all())


def test_without_recurrent_weights_nothing_is_carried() -> None:
    """Weight drop acts on the recurrent weights: almost all dropped, time steps are independent."""
    network = made(NetworkConfig(40, 1, 12, (40,)))
    repeated = torch.full((4, 1), 7)
    rates = DropoutRates(recurrent=1 - 1e-9)
    with torch.no_grad():
        network.get_parameter("layers.0.bias")[12:24] = -1e9
        dropped, _ = network(repeated, network.start(1), rates, torch.Generator().manual_seed(1))
        kept, _ = network(repeated, network.start(1))
    assert torch.equal(dropped[0], dropped[3])
    assert not torch.equal(kept[0], kept[3])


def test_weight_drop_is_drawn_once_per_forward_pass_and_layer() -> None:
    """The gradient of a recurrent matrix is zero exactly where its weights were dropped."""
    network = made()
    hidden, _ = network(
        tokens(), network.start(3), DropoutRates(recurrent=0.5), torch.Generator().manual_seed(9)
    )
    hidden.square().sum().backward()
    shares = []
    for index in (0, 1):
        gradient = network.get_parameter(f"layers.{index}.hidden_weight").grad
        assert gradient is not None
        shares.append(float((gradient == 0).float().mean()))
    assert all(0.4 < share < 0.6 for share in shares)
    assert shares[0] != shares[1]


def test_a_dropped_token_is_read_as_zeros_wherever_it_occurs() -> None:
    """Embedding dropout drops types: tokens with a zero input gradient are whole rows."""
    network = made(NetworkConfig(40, 1, 12, (40,)))
    read = tokens(30)
    hidden, _ = network(
        read, network.start(3), DropoutRates(embedding=0.5), torch.Generator().manual_seed(9)
    )
    (gradient,) = torch.autograd.grad(hidden.square().sum(), [network.embedding])
    seen = read.unique()
    dropped = (gradient[seen] == 0).all(1)
    assert bool(((gradient[seen] == 0).any(1) == dropped).all())
    assert 0.3 < float(dropped.float().mean()) < 0.7


def test_training_with_dropout_is_reproducible() -> None:
    """Gradients are determined by the generator's seed."""
    found = []
    rates = DropoutRates(0.3, 0.3, 0.3, embedding=0.3, recurrent=0.3)
    for seed in (1, 1, 2):
        network = made(products=torch.bfloat16)
        read = tokens()
        random = torch.Generator().manual_seed(seed)
        hidden, _ = network(read[:-1], network.start(3), rates, random)
        found.append(torch.autograd.grad(network.loss(hidden, read[1:]), [network.embedding])[0])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("cutoffs", [(8, 20, 40), (40,)])
def test_a_network_may_begin_at_given_frequencies(cutoffs: tuple[int, ...]) -> None:
    """With embeddings near zero the initial loss is the unigram entropy, for both outputs."""
    network = made(NetworkConfig(40, 2, 12, cutoffs)).eval()
    shares = torch.arange(40, 0, -1, dtype=torch.float64) ** 2
    network.expect(shares)
    with torch.no_grad():
        network.embedding.mul_(1e-4)
        network.cluster_vectors.mul_(1e-4)
    top, _ = network(tokens(1, 40), network.start(40))
    found = network.log_probs(top[0], torch.arange(40))
    wanted = (shares / shares.sum()).log().float()
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=0)


@pytest.mark.parametrize("width", [16, 256])
def test_embeddings_are_equally_long_at_any_width(width: int) -> None:
    """The norm of embeddings does not depend on the width, so narrow networks learn as fast."""
    lengths = made(NetworkConfig(4000, 1, width, (4000,))).embedding.norm(dim=1)
    assert 1.9 < float(lengths.mean().detach()) < 2.1
