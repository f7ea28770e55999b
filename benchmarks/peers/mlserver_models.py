"""Models for MLServer: the network, an n-gram model (KenLM), and a small transformer (SmolLM2).

Elements of a tensor are BYTES, so that adaptive batching can join requests with texts of different
lengths: for the network a text's token ids as little-endian int32, for the others the text.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

NEXT_TOKENS = 5


class _Network(MLModel):
    async def load(self) -> bool:
        from network import Network

        extra = self.settings.parameters.extra
        self.network = Network(Path(extra["folder"]), extra["threads"], extra["library"])
        return True


class Score(_Network):
    """Scores each candidate after `<eos>`."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the log-probabilities of all candidates of a batch."""
        sums = self.network.score([np.frombuffer(text, "<i4") for text in _texts(payload)])
        return _response(self, [("log_prob", "FP64", (len(sums), 1), sums)])


class Next(_Network):
    """Predicts the next token after a complete history."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the likeliest tokens after one history."""
        [history] = _texts(payload)
        found = self.network.next_tokens(np.frombuffer(history, "<i4"), NEXT_TOKENS)
        return _next(self, found)


class KenLm(MLModel):
    """Scores each candidate with an n-gram model."""

    async def load(self) -> bool:
        import kenlm

        self.model = kenlm.Model(self.settings.parameters.extra["file"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the natural log-probabilities of all candidates, with the end of the sentence."""
        score = self.model.score
        sums = [math.log(10) * score(text.decode()) for text in _texts(payload)]
        return _response(self, [("log_prob", "FP64", (len(sums), 1), sums)])


class Transformer(MLModel):
    """Scores candidates and predicts the next token with a causal transformer in float32."""

    async def load(self) -> bool:
        from transformer import loaded

        extra = self.settings.parameters.extra
        self.model = loaded(Path(extra["file"]), extra["threads"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the log-probabilities of all candidates of a batch."""
        sums = self.model.score([text.decode() for text in _texts(payload)])
        return _response(self, [("log_prob", "FP64", (len(sums), 1), sums)])


class TransformerNext(Transformer):
    """Predicts the next token after a complete history."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the likeliest tokens after one history."""
        [history] = _texts(payload)
        return _next(self, self.model.next_tokens(history.decode(), NEXT_TOKENS))


def _texts(payload: InferenceRequest) -> list[bytes]:
    data: list[bytes] = payload.inputs[0].data.root
    return data


def _next(model: MLModel, found: Sequence[tuple[int, float]]) -> InferenceResponse:
    tokens, log_probs = zip(*found, strict=True)
    shape = (1, NEXT_TOKENS)
    return _response(
        model, [("token", "INT64", shape, tokens), ("log_prob", "FP64", shape, log_probs)]
    )


def _response(
    model: MLModel, outputs: Sequence[tuple[str, str, tuple[int, ...], Sequence[Any]]]
) -> InferenceResponse:
    return InferenceResponse(
        model_name=model.name,
        outputs=[
            ResponseOutput(name=name, datatype=datatype, shape=list(shape), data=list(data))
            for name, datatype, shape, data in outputs
        ],
    )
