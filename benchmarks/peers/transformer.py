"""A causal transformer from a GGUF file, in float32 with PyTorch."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


@cache
def loaded(file: Path, threads: int) -> "Transformer":
    """Return the transformer of a file, loaded once per process."""
    return Transformer(file, threads)


class Transformer:
    """The model of a GGUF file, whose weights are dequantised; `threads` per operator."""

    def __init__(self, file: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        folder, name = str(file.parent), file.name
        self._tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
        self._model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=name, dtype=torch.float32
        ).eval()

    @torch.inference_mode()
    def score(self, texts: Sequence[str]) -> list[float]:
        """Return the log-probability of each text and its end, in one padded batch."""
        end = self._tokenizer.eos_token_id
        read = [[end, *self._encode(text), end] for text in texts]
        longest = max(map(len, read))
        padded = torch.tensor([tokens + [end] * (longest - len(tokens)) for tokens in read])
        lengths = torch.tensor([len(tokens) - 1 for tokens in read])
        inside = torch.arange(longest - 1)[None, :] < lengths[:, None]
        states = self._model.model(padded[:, :-1], use_cache=False).last_hidden_state
        logits = self._model.lm_head(states[inside])
        targets = padded[:, 1:][inside]
        log_probs = logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(1)
        sums = torch.zeros(len(texts), dtype=torch.float64)
        sums.index_add_(0, inside.nonzero()[:, 0], log_probs.double())
        values: list[float] = sums.tolist()
        return values

    @torch.inference_mode()
    def next_tokens(self, history: str, count: int) -> list[tuple[int, float]]:
        """Return the `count` likeliest tokens after a history with their log-probabilities."""
        tokens = torch.tensor([[self._tokenizer.eos_token_id, *self._encode(history)]])
        states = self._model.model(tokens, use_cache=False).last_hidden_state
        best = torch.log_softmax(self._model.lm_head(states[0, -1]), 0).topk(count)
        return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))

    def _encode(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return tokens
