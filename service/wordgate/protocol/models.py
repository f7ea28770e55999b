"""Encode and decode model versions, and decode the lists of served models."""

from dataclasses import dataclass

from wordgate.api.v1 import model_version_pb2, models_pb2
from wordgate.lm.model_version import ModelVersion

_PRECISIONS = {
    "int8": model_version_pb2.PRECISION_INT8,
    "float32": model_version_pb2.PRECISION_FLOAT32,
}
_PRECISION_NAMES = {number: name for name, number in _PRECISIONS.items()}
_LIMITS = models_pb2.Limits.DESCRIPTOR.fields


@dataclass(frozen=True)
class ModelDescription:
    """A served model.

    `digest` is the SHA-256 of its `bundle.json` in hexadecimal. `vocabulary_size` is in tokens,
    `width` in hidden units per layer. `figures` are quality figures measured at publication, by
    name. `language` is a BCP 47 tag.
    """

    name: ModelVersion
    is_default: bool
    digest: str
    vocabulary_size: int
    layers: int
    width: int
    figures: dict[str, float]
    language: str


@dataclass(frozen=True)
class ServerDescription:
    """A server and its limits.

    `limits` contains the greatest accepted values by name, as listed in docs/serving.md. Limits
    whose name ends in `_bytes` count UTF-8 bytes. `device` is "cpu" or "cuda".
    """

    version: str
    onnxruntime_version: str
    device: str
    limits: dict[str, int]


def encode_model_version(name: ModelVersion) -> model_version_pb2.ModelVersion:
    """Return a model version as a message."""
    return model_version_pb2.ModelVersion(
        name=name.name, version=name.version, precision=_PRECISIONS[name.precision]
    )


def decode_model_version(message: model_version_pb2.ModelVersion) -> ModelVersion:
    """Decode a model version. A precision of a newer server becomes "unknown"."""
    precision = _PRECISION_NAMES.get(message.precision, "unknown")
    return ModelVersion(message.name, message.version, precision)


def decode_model(model: models_pb2.Model) -> ModelDescription:
    """Decode a served model."""
    return ModelDescription(
        name=decode_model_version(model.version),
        is_default=model.is_default,
        digest=model.digest,
        vocabulary_size=model.vocabulary_size,
        layers=model.layers,
        width=model.width,
        figures=dict(model.figures),
        language=model.language,
    )


def decode_server(answer: models_pb2.ListModelsResponse) -> ServerDescription:
    """Decode the server of a `ListModels` response, with its limits."""
    server = answer.server
    limits = {each.name: int(getattr(server.limits, each.name)) for each in _LIMITS}
    return ServerDescription(server.version, server.onnxruntime_version, server.device, limits)
