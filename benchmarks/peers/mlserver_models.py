"""Models for MLServer: the network's scores and next tokens, and KenLM's scores.

A tensor element is a text's token ids as little-endian int32 in BYTES, so that adaptive batching
can join requests with texts of different lengths. KenLM gets words separated by spaces.
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
        self.network = Network(Path(extra["folder"]), extra["threads"])
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
        tokens, log_probs = zip(*found, strict=True)
        shape = (1, NEXT_TOKENS)
        return _response(
            self, [("token", "INT64", shape, tokens), ("log_prob", "FP64", shape, log_probs)]
        )


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


def _texts(payload: InferenceRequest) -> list[bytes]:
    data: list[bytes] = payload.inputs[0].data.root
    return data


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
