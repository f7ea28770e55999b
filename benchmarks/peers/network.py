"""The served network in float32, scoring whole sequences: what the peers run.

Needs only numpy, onnxruntime, safetensors and torch. The layers are `torch.nn.LSTM` or a graph with
onnxruntime's `LSTM` operator. The output layer is an adaptive softmax, evaluated as
`torch.nn.AdaptiveLogSoftmaxWithLoss` does: all of the head, and of each cluster only the rows of
targets in it (Grave et al. 2017).
"""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

EOS = 0


Layers = Callable[[Tensor, Tensor], Tensor]
"""Maps read [length, batch, width] and lengths [batch] to hidden [length, batch, width]."""


class Network:
    """The exported network in `folder`.

    `threads` per operator; `library` of the layers is `torch` or `onnxruntime`.
    """

    def __init__(self, folder: Path, threads: int, library: str) -> None:
        torch.set_num_threads(threads)
        weights = {
            name: value.float() for name, value in load_file(folder / "weights.safetensors").items()
        }
        sizes = json.loads((folder / "sizes.json").read_text("utf-8"))
        self._head: int = sizes["cutoffs"][0]
        self._clusters = list(pairwise(sizes["cutoffs"]))
        self._embedding = weights["embedding"]
        self._bias = weights["output_bias"]
        self._head_rows = torch.cat([self._embedding[: self._head], weights["cluster_vectors"]])
        self._head_bias = torch.cat([self._bias[: self._head], weights["cluster_bias"]])
        self._layers = (
            torch_layers(weights, sizes["layers"], sizes["width"])
            if library == "torch"
            else onnxruntime_layers(folder / "lstm.onnx", threads)
        )

    @torch.inference_mode()
    def score(self, candidates: Sequence[Sequence[int]]) -> list[float]:
        """Return the log-probability of each candidate's tokens and its `<eos>`, in one batch."""
        lengths = torch.tensor([len(candidate) + 1 for candidate in candidates])
        padded = np.full((int(lengths.max()) + 1, len(candidates)), EOS, np.int64)
        for column, candidate in enumerate(candidates):
            padded[1 : len(candidate) + 1, column] = candidate
        tokens = torch.from_numpy(padded)
        hidden = self._layers(self._embedding[tokens[:-1]], lengths)
        inside = torch.arange(len(hidden))[:, None] < lengths[None, :]
        log_probs = self._log_probs(hidden[inside], tokens[1:][inside])
        sums = torch.zeros(len(candidates), dtype=torch.float64)
        sums.index_add_(0, inside.nonzero()[:, 1], log_probs.double())
        values: list[float] = sums.tolist()
        return values

    @torch.inference_mode()
    def next_tokens(self, history: Sequence[int], count: int) -> list[tuple[int, float]]:
        """Return the `count` likeliest tokens after a history with their log-probabilities.

        A cluster is evaluated only if one of its tokens may be among them.
        """
        tokens = torch.tensor([EOS, *history])[:, None]
        last = self._layers(self._embedding[tokens], torch.tensor([len(tokens)]))[-1, 0]
        head = torch.log_softmax(nn.functional.linear(last, self._head_rows, self._head_bias), 0)
        best = head[: self._head].topk(count)
        values, indices = best.values, best.indices
        for cluster, (first, end) in enumerate(self._clusters):
            whole = head[self._head + cluster]
            if whole > values[-1]:
                rows = self._embedding[first:end]
                logits = nn.functional.linear(last, rows, self._bias[first:end])
                values = torch.cat([values, whole + torch.log_softmax(logits, 0)])
                indices = torch.cat([indices, torch.arange(first, end)])
                best = values.topk(count)
                values, indices = best.values, indices[best.indices]
        return list(zip(indices.tolist(), values.tolist(), strict=True))

    def _log_probs(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Return the log-probabilities [n] of `targets` [n] after `hidden` [n, width]."""
        entries = targets.clone()
        for cluster, (first, end) in enumerate(self._clusters):
            entries[(targets >= first) & (targets < end)] = self._head + cluster
        log_probs = _chosen(hidden, self._head_rows, self._head_bias, entries)
        for first, end in self._clusters:
            inside = ((targets >= first) & (targets < end)).nonzero()[:, 0]
            if len(inside):
                rows, bias = self._embedding[first:end], self._bias[first:end]
                log_probs[inside] += _chosen(hidden[inside], rows, bias, targets[inside] - first)
        return log_probs


def torch_layers(weights: dict[str, Tensor], layers: int, width: int) -> Layers:
    """Return `torch.nn.LSTM` with the weights."""
    lstm = nn.LSTM(width, width, layers)
    state = {}
    for layer in range(layers):
        state[f"weight_ih_l{layer}"] = weights[f"layers.{layer}.input_weight"]
        state[f"weight_hh_l{layer}"] = weights[f"layers.{layer}.hidden_weight"]
        state[f"bias_ih_l{layer}"] = weights[f"layers.{layer}.bias"]
        state[f"bias_hh_l{layer}"] = torch.zeros_like(weights[f"layers.{layer}.bias"])
    lstm.load_state_dict(state)
    lstm.eval()
    return lambda read, _: lstm(read)[0]


def onnxruntime_layers(graph: Path, threads: int) -> Layers:
    """Return a session of the graph of `LSTM` operators."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def run(read: Tensor, lengths: Tensor) -> Tensor:
        feed = {"read": read.numpy(), "length": lengths.to(torch.int32).numpy()}
        return torch.from_numpy(session.run(["hidden"], feed)[0])

    return run


def _chosen(hidden: Tensor, rows: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Return the log-softmax over `rows` at one target per row of `hidden`."""
    logits = nn.functional.linear(hidden, rows, bias)
    return logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(1)
