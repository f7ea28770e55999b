"""The device that trains."""

import pytest
import torch

from wordgate.errors import TrainingError
from wordgate.training.hardware.devices import find_device


@pytest.fixture
def _two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("_two_gpus")
def test_a_gpu_has_the_number_asked_for_or_that_of_the_process() -> None:
    """Plain "cuda" is the first GPU, or that of the local rank; "cuda:N" is number N."""
    assert find_device("cuda") == torch.device("cuda", 0)
    assert find_device("cuda:1") == torch.device("cuda", 1)
    assert find_device("cuda", local_rank=1) == torch.device("cuda", 1)
    assert find_device("cpu", local_rank=1) == torch.device("cpu")


@pytest.mark.usefixtures("_two_gpus")
def test_missing_and_shared_gpus_are_refused() -> None:
    """The message has the number of GPUs, or the remedy."""
    with pytest.raises(TrainingError, match="CUDA device 2 is needed, torch finds 2 CUDA devices"):
        find_device("cuda:2")
    with pytest.raises(TrainingError, match='one GPU for several processes; set it to "cuda"'):
        find_device("cuda:0", local_rank=0)


def test_without_a_gpu_cuda_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe for a GPU does not silently train on the processor."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TrainingError, match="torch finds no CUDA devices"):
        find_device("cuda")
