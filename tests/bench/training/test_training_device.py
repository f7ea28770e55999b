"""Checks of a device for training, on the CPU."""

import pytest
import torch

from wordgate.bench.training.training_device import (
    Workload,
    matmul_rate,
    step_speed,
    update_agreement,
)
from wordgate.training.model.network import NetworkConfig

CPU = torch.device("cpu")
WORKLOAD = Workload(NetworkConfig(600, 2, 16, (100, 300, 600)), batch=4, length=5)


def test_an_update_is_timed_beside_the_limit() -> None:
    """The share of the limit is the update's rate of products over that of square products."""
    found = step_speed(WORKLOAD, CPU, torch.float32, seconds=0.05)
    assert found["tokens_per_second"] > 0
    share = found["update_tflops"] / found["matmul_tflops"]
    assert 0 < found["share_of_limit"] == pytest.approx(share)


def test_the_cpu_agrees_with_itself() -> None:
    """In float32 nothing differs; with bfloat16 products something does, within the tolerance."""
    exact = update_agreement(WORKLOAD, CPU, torch.float32)
    assert exact["loss_difference"] == exact["gradient_difference"] == 0
    assert exact["agrees"]
    near = update_agreement(WORKLOAD, CPU, torch.bfloat16)
    assert 0 < near["gradient_difference"] < near["gradient_tolerance"]
    assert near["agrees"]


def test_square_products_have_a_rate() -> None:
    """The rate is positive for a small product too."""
    assert matmul_rate(CPU, torch.float32, 0.01, size=8) > 0
