"""The optimiser: schedule, clipping, weight decay and exact resumption."""

import copy

import pytest
import torch
from torch import nn

from wordgate.training.model.network import Network, NetworkConfig
from wordgate.training.model.optimizer import Optimiser, Schedule

SCHEDULE = Schedule(
    learning_rate=1e-2, minimum_learning_rate=1e-3, warmup_steps=4, decay_steps=10, steps=20
)


def step(network: Network, optimiser: Optimiser, number: int) -> None:
    """Make one update on tokens determined by `number`."""
    random = torch.Generator().manual_seed(number)
    read = torch.randint(0, 40, (6, 3), generator=random)
    hidden, _ = network(read[:-1], network.start(3))
    network.loss(hidden, read[1:]).backward()
    optimiser.step()


def test_the_schedule_rises_stays_and_falls() -> None:
    """Linear warm-up, constant rate, cosine decay to the minimum, then the minimum."""
    assert SCHEDULE.at(0) == pytest.approx(2.5e-3)
    assert SCHEDULE.at(3) == SCHEDULE.at(9) == 1e-2
    assert SCHEDULE.at(14) == pytest.approx(5.5e-3)
    assert SCHEDULE.at(19) == SCHEDULE.at(30) == pytest.approx(1e-3)
    falling = [SCHEDULE.at(number) for number in range(9, 20)]
    assert falling == sorted(falling, reverse=True)


def test_a_schedule_without_warm_up_and_fall_is_constant() -> None:
    """Warm-up and decay may have zero steps."""
    constant = Schedule(1e-2, 1e-3, warmup_steps=0, decay_steps=0, steps=5)
    assert {constant.at(number) for number in range(5)} == {1e-2}


def test_a_restarted_run_ends_with_the_same_bits() -> None:
    """Six steps equal three steps, save, restore and three more steps, bit for bit."""
    network = Network(
        NetworkConfig(40, 2, 12, (8, 20, 40)), generator=torch.Generator().manual_seed(1)
    )
    optimiser = Optimiser(network.parameters(), SCHEDULE)
    for number in range(3):
        step(network, optimiser, number)
    saved = copy.deepcopy((network.state_dict(), optimiser.state_dict()))
    for number in range(3, 6):
        step(network, optimiser, number)

    other = Network(NetworkConfig(40, 2, 12, (8, 20, 40)))
    other.load_state_dict(saved[0])
    resumed = Optimiser(other.parameters(), SCHEDULE)
    resumed.load_state_dict(saved[1])
    assert resumed.step_count == 3
    for number in range(3, 6):
        step(other, resumed, number)
    for name, part in network.named_parameters():
        assert torch.equal(part, other.get_parameter(name)), name


def test_the_gradient_is_clipped_by_its_global_norm() -> None:
    """The norm before clipping is returned; a 10 times larger gradient gives the same update."""
    ends = []
    for size in (10.0, 100.0):
        matrix = nn.Parameter(torch.zeros(2, 2))
        optimiser = Optimiser([matrix], SCHEDULE, clip_norm=1.0)
        matrix.grad = torch.full((2, 2), size)
        assert float(optimiser.step()) == pytest.approx(2 * size)
        ends.append(matrix.detach().clone())
    torch.testing.assert_close(*ends)


def test_only_matrices_decay() -> None:
    """With zero gradients, matrices shrink and biases do not change."""
    matrix, bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    optimiser = Optimiser([matrix, bias], SCHEDULE, weight_decay=0.5)
    matrix.grad, bias.grad = torch.zeros(2, 2), torch.zeros(2)
    optimiser.step()
    assert bool((matrix < 1).all())
    assert bool((bias == 1).all())


def test_plain_sgd_subtracts_the_scaled_gradient() -> None:
    """SGD moves against the gradient by the learning rate times the scale of the step."""
    vector = nn.Parameter(torch.zeros(2))
    constant = Schedule(0.5, 0.5, warmup_steps=0, decay_steps=0, steps=5)
    optimiser = Optimiser([vector], constant, clip_norm=100.0, kind="sgd")
    for scale, end in ((1.0, -2.0), (0.5, -3.0)):
        vector.grad = torch.full((2,), 4.0)
        optimiser.step(scale)
        torch.testing.assert_close(vector.detach(), torch.full((2,), end))
