"""Requests of the load generator and what their responses say, for each protocol."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import grpc
import numpy as np

from wordgate.api.v1 import prediction_pb2, priority_pb2, scoring_pb2
from wordgate.bundle import bundle as bundles
from wordgate.scoring.scoring import tokenize_text

SUGGESTIONS = 5

_inference: Any = grpc.protos("inference.proto")


@dataclass(frozen=True)
class Call:
    """A gRPC call: the method, a serialised request, and the parser of its response."""

    method: str
    request: bytes
    parse: Callable[[bytes], Any]


class Calls(Protocol):
    """Builds the calls of one protocol and reads their responses."""

    def score(self, texts: Sequence[str]) -> Call:
        """Return the call that scores the candidates of an utterance."""
        ...

    def next_word(self, history: str) -> Call:
        """Return the call that predicts the next word."""
        ...

    def log_probs(self, response: Any) -> list[float]:
        """Return the log-probability of each candidate."""
        ...

    def likeliest(self, response: Any) -> Mapping[int, float]:
        """Return log-probabilities by token, of the predictions that are one token."""
        ...


class Tokens:
    """The tokenizer of a bundle."""

    def __init__(self, bundle: Path) -> None:
        self._language = bundles.load(bundle).language

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return tokenize_text(self._language, text, "text").tokens


class WordgateCalls:
    """Wordgate's protocol. It sends text, and the server tokenizes."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def score(self, texts: Sequence[str]) -> Call:
        """Return a call of `Score` with priority batch, for many requests in flight."""
        candidates = [scoring_pb2.Candidate(text=text) for text in texts]
        request = scoring_pb2.ScoreRequest(
            candidates=candidates, priority=priority_pb2.PRIORITY_BATCH
        )
        return Call(
            "/wordgate.v1.ScoringService/Score",
            request.SerializeToString(),
            scoring_pb2.ScoreResponse.FromString,
        )

    def next_word(self, history: str) -> Call:
        """Return a call of `Predict`."""
        options = prediction_pb2.SuggestionOptions(max_suggestions=SUGGESTIONS)
        request = prediction_pb2.PredictRequest(history=history, options=options)
        return Call(
            "/wordgate.v1.PredictionService/Predict",
            request.SerializeToString(),
            prediction_pb2.PredictResponse.FromString,
        )

    def log_probs(self, response: Any) -> list[float]:
        """Return the log-probability of each candidate."""
        return [candidate.log_prob for candidate in response.candidates]

    def likeliest(self, response: Any) -> dict[int, float]:
        """Return the log-probabilities of suggested words that are one token."""
        pairs = [(self._tokens.encode(each.text), each.log_prob) for each in response.suggestions]
        return {tokens[0]: log_prob for tokens, log_prob in pairs if len(tokens) == 1}


class InferenceCalls:
    """The Open Inference Protocol. It sends tokens, or with `tokens` None text."""

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens

    def score(self, texts: Sequence[str]) -> Call:
        """Return an inference with one element per candidate."""
        return _infer("score", [self._element(text) for text in texts])

    def next_word(self, history: str) -> Call:
        """Return an inference with the whole history."""
        return _infer("next", [self._element(history)])

    def log_probs(self, response: Any) -> list[float]:
        """Return the log-probability of each candidate."""
        return list(_outputs(response)["log_prob"])

    def likeliest(self, response: Any) -> dict[int, float]:
        """Return the log-probabilities of the likeliest tokens."""
        outputs = _outputs(response)
        return dict(zip(map(int, outputs["token"]), outputs["log_prob"], strict=True))

    def _element(self, text: str) -> bytes:
        if self._tokens is None:
            return text.encode()
        return np.array(self._tokens.encode(text), "<i4").tobytes()


def _infer(model: str, elements: list[bytes]) -> Call:
    contents = _inference.InferTensorContents(bytes_contents=elements)
    tensor = _inference.ModelInferRequest.InferInputTensor(
        name="tokens", datatype="BYTES", shape=[len(elements), 1], contents=contents
    )
    request = _inference.ModelInferRequest(model_name=model, inputs=[tensor])
    return Call(
        "/inference.GRPCInferenceService/ModelInfer",
        request.SerializeToString(),
        _inference.ModelInferResponse.FromString,
    )


def _outputs(response: Any) -> dict[str, list[float]]:
    """Return the values of each output: Triton sends them raw, MLServer typed."""
    raw = response.raw_output_contents
    values = {}
    for index, output in enumerate(response.outputs):
        kind = {"FP64": "fp64_contents", "INT64": "int64_contents"}[output.datatype]
        if raw:
            values[output.name] = np.frombuffer(
                raw[index], "<f8" if output.datatype == "FP64" else "<i8"
            ).tolist()
        else:
            values[output.name] = list(getattr(output.contents, kind))
    return values
