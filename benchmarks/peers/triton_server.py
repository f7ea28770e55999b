"""Serve the network's scores and next tokens with Triton.

`python triton_server.py FOLDER PORT THREADS LIBRARY`
Runs in an environment with nvidia-pytriton, which brings Triton with its Python backend. Elements
of tensors are token ids, as in `mlserver_models`; the dynamic batcher joins requests.
"""

import sys
from pathlib import Path

import numpy as np
from network import Network
from numpy.typing import NDArray
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

MAX_CANDIDATES = 200
"""Limit on the candidates of one batch, and so of one request."""

NEXT_TOKENS = 5


def main() -> None:
    """Serve gRPC on a local port until the process is terminated."""
    folder, port, threads, library = sys.argv[1:]
    network = Network(Path(folder), int(threads), library)

    @batch
    def score(tokens: NDArray[np.bytes_]) -> dict[str, NDArray[np.float64]]:
        sums = network.score([np.frombuffer(text, "<i4") for [text] in tokens])
        return {"log_prob": np.array(sums, np.float64)[:, None]}

    @batch
    def next_tokens(tokens: NDArray[np.bytes_]) -> dict[str, NDArray[np.generic]]:
        found = [network.next_tokens(np.frombuffer(text, "<i4"), NEXT_TOKENS) for [text] in tokens]
        rows = np.array(found)
        return {"token": rows[:, :, 0].astype(np.int64), "log_prob": rows[:, :, 1]}

    tokens = Tensor(name="tokens", dtype=bytes, shape=(1,))
    log_prob = Tensor(name="log_prob", dtype=np.float64, shape=(-1,))
    local = {"http_address": "127.0.0.1", "grpc_address": "127.0.0.1"}
    ports = {"grpc_port": int(port), "http_port": int(port) + 1, "metrics_port": int(port) + 2}
    with Triton(config=TritonConfig(**local, **ports)) as triton:
        triton.bind(
            "score",
            score,
            inputs=[tokens],
            outputs=[log_prob],
            config=ModelConfig(
                max_batch_size=MAX_CANDIDATES,
                batcher=DynamicBatcher(max_queue_delay_microseconds=1000),
            ),
        )
        triton.bind(
            "next",
            next_tokens,
            inputs=[tokens],
            outputs=[Tensor(name="token", dtype=np.int64, shape=(-1,)), log_prob],
            config=ModelConfig(max_batch_size=16, batcher=DynamicBatcher()),
        )
        triton.serve()


if __name__ == "__main__":
    main()
