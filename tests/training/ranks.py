"""Run a function in several processes that are joined as those of torchrun."""

import os
import socket
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from wordgate.training.hardware.distributed import joined
from wordgate.training.hardware.torchrun import find_place

Task = Callable[..., Any]
"""Called with the ranks and further arguments; returns what `torch.save` can write."""


def run_ranks(size: int, task: Task, folder: Path, *arguments: object) -> list[Any]:
    """Run `task`, a function of a module, in `size` processes and return their results by rank."""
    port = _free_port()
    context = get_context("spawn")
    processes = [
        context.Process(target=_run, args=(rank, size, port, task, folder, arguments))
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
        process.kill()
    return [
        torch.load(path, weights_only=False) if (path := folder / f"rank-{rank}").exists() else None
        for rank in range(size)
    ]


def _run(
    rank: int, size: int, port: int, task: Task, folder: Path, arguments: tuple[object, ...]
) -> None:
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in names.items()}
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    torch.set_num_threads(1)
    with joined(find_place(), torch.device("cpu")) as ranks:
        torch.save(task(ranks, *arguments), folder / f"rank-{rank}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
