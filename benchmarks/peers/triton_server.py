"""Serve the network's scores and next tokens with Triton.

`python triton_server.py FOLDER PORT LIBRARY COPIES THREADS`

Runs in an environment with nvidia-pytriton, which brings Triton with its Python backend. Elements
of tensors are token ids, as in `mlserver_models`; the dynamic batcher joins requests.
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from network import Network

MAX_CANDIDATES = 200
"""Limit on the candidates of one batch, and so of one request."""

NEXT_TOKENS = 5
Inference = Callable[..., Any]


def main() -> None:
    """Serve gRPC on a local port until the process is terminated."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that Triton is stopped, too
    folder, port, library, copies, threads = sys.argv[1:]
    networks = [Network(Path(folder), int(threads), library) for _ in range(int(copies))]
    tokens = Tensor(name="tokens", dtype=bytes, shape=(1,))
    log_prob = Tensor(name="log_prob", dtype=np.float64, shape=(-1,))
    local = {"http_address": "127.0.0.1", "grpc_address": "127.0.0.1"}
    ports = {"grpc_port": int(port), "http_port": int(port) + 1, "metrics_port": int(port) + 2}
    with Triton(config=TritonConfig(**local, **ports)) as triton:
        triton.bind(
            "score",
            [scorer(network) for network in networks],
            inputs=[tokens],
            outputs=[log_prob],
            config=ModelConfig(
                max_batch_size=MAX_CANDIDATES,
                batcher=DynamicBatcher(max_queue_delay_microseconds=1000),
            ),
        )
        triton.bind(
            "next",
            [predictor(network) for network in networks],
            inputs=[tokens],
            outputs=[Tensor(name="token", dtype=np.int64, shape=(-1,)), log_prob],
            config=ModelConfig(max_batch_size=16, batcher=DynamicBatcher()),
        )
        triton.serve()


def scorer(network: Network) -> Inference:
    """Return the function that scores each candidate of a batch after `<eos>`."""

    @batch
    def score(tokens: NDArray[np.object_]) -> dict[str, NDArray[Any]]:
        sums = network.score([np.frombuffer(text, "<i4") for [text] in tokens])
        return {"log_prob": np.array(sums, np.float64)[:, None]}

    return score


def predictor(network: Network) -> Inference:
    """Return the function that predicts the next tokens after each history of a batch."""

    @batch
    def predict(tokens: NDArray[np.object_]) -> dict[str, NDArray[Any]]:
        rows = np.array(
            [network.next_tokens(np.frombuffer(text, "<i4"), NEXT_TOKENS) for [text] in tokens]
        )
        return {"token": rows[:, :, 0].astype(np.int64), "log_prob": rows[:, :, 1]}

    return predict


if __name__ == "__main__":
    main()
