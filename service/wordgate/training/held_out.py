"""Measure perplexity on held-out text during training.

`measure` reads each passage on its own, as the server reads a text: from the zero state, with
`<eos>` before it and after it. `measure_in_order` reads running text and carries the state over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wordgate.evaluation.perplexity import perplexity_of
from wordgate.training.data.sequential_sampler import columns_of
from wordgate.training.data.token_cache import TokenFile
from wordgate.training.model.network import Network

FIRST_WORDS = 5
_ROWS = 64
MAX_TOKENS = 256
"""Maximum number of tokens scored per passage, including `<eos>`."""

COLUMNS = 10
"""Columns of running text that are read side by side, as in the authors' code of the AWD-LSTM."""

_SEGMENT = 64


@dataclass(frozen=True)
class Perplexities:
    """Perplexity per word and per token (`<eos>` included) and over first words only."""

    word_perplexity: float
    token_perplexity: float
    first_words_perplexity: float
    words: int
    tokens: int


def choose(
    files: Sequence[TokenFile], weights: Sequence[float], limit: int
) -> list[NDArray[np.int64]]:
    """Choose held-out passages of about `limit` tokens in total, in the training mixture.

    The choice is deterministic. Passages are truncated to 256 tokens; only passages that fit are
    followed by `<eos>`.
    """
    sizes = [len(file.tokens) * weight for file, weight in zip(files, weights, strict=True)]
    chosen: list[NDArray[np.int64]] = []
    for file, size in zip(files, sizes, strict=True):
        quota = limit * size / max(sum(sizes), 1)
        for index in range(len(file)):
            if quota <= 0:
                break
            chosen.append(file.passage(index)[: MAX_TOKENS + 1])
            quota -= len(chosen[-1])
    return sorted(chosen, key=len)


def measure(
    network: Network, passages: Sequence[NDArray[np.int64]], ends_word: NDArray[np.bool_], eos: int
) -> Perplexities:
    """Return the perplexities of `passages` under the network's current weights."""
    network.eval()
    surprisal = first_surprisal = 0.0
    words = first_words = tokens = 0
    for start in range(0, len(passages), _ROWS):
        rows = passages[start : start + _ROWS]
        for log_probs, passage in zip(_log_probs(network, rows, eos), rows, strict=True):
            ends = np.flatnonzero(ends_word[passage[: len(log_probs)]])
            surprisal -= float(log_probs.sum())
            tokens += len(log_probs)
            words += len(ends)
            beginning = ends[:FIRST_WORDS]
            first_words += len(beginning)
            first_surprisal -= float(log_probs[: beginning[-1] + 1].sum()) if len(ends) else 0.0
    return Perplexities(
        perplexity_of(surprisal, words),
        perplexity_of(surprisal, tokens),
        perplexity_of(first_surprisal, first_words),
        words,
        tokens,
    )


def measure_in_order(
    network: Network,
    stream: NDArray[np.int64],
    ends_word: NDArray[np.bool_],
    eos: int,
    columns: int = COLUMNS,
) -> Perplexities:
    """Return the perplexities of running text, `stream` [tokens], under the current weights.

    The text is cut into `columns` parts of equal length. Each part is read from the zero state
    without a break: in one column, every token is predicted from all tokens before it. The last
    tokens, fewer than `columns`, are left out.
    """
    network.eval()
    read, targets = columns_of(stream, min(columns, len(stream)), eos)
    state, parts = network.start(read.shape[1]), []
    for start in range(0, len(read), _SEGMENT):
        part = slice(start, start + _SEGMENT)
        tokens, following = (
            torch.from_numpy(each[part].copy()).to(network.embedding.device)
            for each in (read, targets)
        )
        with torch.no_grad():
            hidden, state = network(tokens, state)
            found = network.log_probs(hidden.flatten(0, 1), following.flatten())
        parts.append(found.view(following.shape).double().cpu().numpy())
    log_probs, ends = np.concatenate(parts), ends_word[targets]
    first = _in_first_words(read, ends, eos)
    return Perplexities(
        perplexity_of(-float(log_probs.sum()), int(ends.sum())),
        perplexity_of(-float(log_probs.sum()), targets.size),
        perplexity_of(-float(log_probs[first].sum()), int(ends[first].sum())),
        int(ends.sum()),
        targets.size,
    )


def _in_first_words(
    read: NDArray[np.integer[Any]], ends: NDArray[np.bool_], eos: int
) -> NDArray[np.bool_]:
    """Return which targets are in the first words after `<eos>`, bool [rows, columns]."""
    before: NDArray[np.int64] = np.cumsum(ends, axis=0) - ends
    at_start = np.maximum.accumulate(np.where(read == eos, before, 0))
    return np.asarray(before - at_start < FIRST_WORDS)


def _log_probs(
    network: Network, rows: Sequence[NDArray[np.int64]], eos: int
) -> list[NDArray[np.float64]]:
    """Return the log-probability of each token per row, and of `<eos>` after complete rows."""
    longest = max(len(row) for row in rows)
    device = network.embedding.device
    lines = np.full((longest + 2, len(rows)), eos, dtype=np.int64)
    for index, row in enumerate(rows):
        lines[1 : len(row) + 1, index] = row
    tokens = torch.from_numpy(lines).to(device)
    targets = tokens[1:]
    with torch.no_grad():
        hidden, _ = network(tokens[:-1], network.start(len(rows)))
        flat = network.log_probs(hidden.flatten(0, 1), targets.flatten())
    by_row = flat.view(targets.shape).double().cpu().numpy()
    counted = [min(len(row) + 1, MAX_TOKENS) for row in rows]
    return [by_row[:count, index] for index, count in enumerate(counted)]
