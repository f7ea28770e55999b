"""The served network in plain PyTorch, scoring whole sequences: what the peers run.

Needs only numpy, safetensors and torch. The output layer is an adaptive softmax, evaluated as
`torch.nn.AdaptiveLogSoftmaxWithLoss` does: all of the head, and of each cluster only the rows of
targets in it (Grave et al. 2017).
"""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

EOS = 0


class Network:
    """A float32 LSTM of the exported weights in `folder`, with `threads` threads per operator."""

    def __init__(self, folder: Path, threads: int) -> None:
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
        self._lstm = _lstm(weights, sizes["layers"], sizes["width"])

    @torch.inference_mode()
    def score(self, candidates: Sequence[Sequence[int]]) -> list[float]:
        """Return the log-probability of each candidate's tokens and its `<eos>`, in one batch."""
        lengths = torch.tensor([len(candidate) + 1 for candidate in candidates])
        padded = np.full((len(candidates), int(lengths.max()) + 1), EOS, np.int64)
        for row, candidate in enumerate(candidates):
            padded[row, 1 : len(candidate) + 1] = candidate
        tokens = torch.from_numpy(padded)
        read = _packed(self._embedding[tokens[:, :-1]], lengths)
        hidden, _ = self._lstm(read)
        log_probs = self._log_probs(hidden.data, _packed(tokens[:, 1:], lengths).data)
        unpacked, _ = pad_packed_sequence(
            PackedSequence(
                log_probs.double(), read.batch_sizes, read.sorted_indices, read.unsorted_indices
            ),
            batch_first=True,
        )
        sums: list[float] = unpacked.sum(1).tolist()
        return sums

    @torch.inference_mode()
    def next_tokens(self, history: Sequence[int], count: int) -> list[tuple[int, float]]:
        """Return the `count` likeliest tokens after a history with their log-probabilities.

        A cluster is evaluated only if one of its tokens may be among them.
        """
        tokens = torch.tensor([[EOS, *history]])
        hidden, _ = self._lstm(self._embedding[tokens])
        last = hidden[0, -1]
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


def _lstm(weights: dict[str, Tensor], layers: int, width: int) -> nn.LSTM:
    lstm = nn.LSTM(width, width, layers, batch_first=True)
    state = {}
    for layer in range(layers):
        state[f"weight_ih_l{layer}"] = weights[f"layers.{layer}.input_weight"]
        state[f"weight_hh_l{layer}"] = weights[f"layers.{layer}.hidden_weight"]
        state[f"bias_ih_l{layer}"] = weights[f"layers.{layer}.bias"]
        state[f"bias_hh_l{layer}"] = torch.zeros_like(weights[f"layers.{layer}.bias"])
    lstm.load_state_dict(state)
    return lstm.eval()


def _packed(values: Tensor, lengths: Tensor) -> PackedSequence:
    return pack_padded_sequence(values, lengths, batch_first=True, enforce_sorted=False)


def _chosen(hidden: Tensor, rows: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Return the log-softmax over `rows` at one target per row of `hidden`."""
    logits = nn.functional.linear(hidden, rows, bias)
    return logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(1)
