"""The device that trains: the processor, or a GPU by number."""

import torch

from wordgate.errors import TrainingError


def find_device(asked: str, local_rank: int | None = None) -> torch.device:
    """Return the device of `training.device`: "cpu", "cuda" or "cuda:N".

    "cuda" is the first GPU, or that of the process's rank on this machine. Raises `TrainingError`
    if torch does not find the device, or if several processes would share "cuda:N".
    """
    device = torch.device(asked)
    if device.type != "cuda":
        return device
    is_numbered = ":" in asked
    if is_numbered and local_rank is not None:
        raise TrainingError(
            f'training.device is "{asked}", one GPU for several processes; set it to "cuda": each '
            "process takes the GPU of its number"
        )
    index = device.index if is_numbered else local_rank or 0
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= count:
        raise TrainingError(
            f'training.device "{asked}": CUDA device {index} is needed, torch finds {count or "no"}'
            f" CUDA device{'' if count == 1 else 's'}"
        )
    return torch.device("cuda", index)
