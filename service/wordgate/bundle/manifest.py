"""The schema of `bundle.json`, and size limits of a model."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 1
"""Latest schema version that this package can read, and the one that it writes."""

NAME_PATTERN = "^[a-z0-9][a-z0-9_-]*$"
"""Pattern of model names, which are used in folder names and URLs."""

MAX_VOCABULARY = 1 << 18
MAX_LEVELS = 64
MAX_STATE_SIZE = 1 << 16
"""Limit on layers times width, the number of hidden values of one state."""

ZERO_POINT = 128
"""The byte that stands for 0 in the hidden values of int8 models."""

MAX_PARAMETERS = 1 << 28
"""Limit on the weights of embedding and layers: 1 GiB as float32, 256 MiB as int8."""

MAX_FILES = 256
MAX_BUNDLE_BYTES = 1 << 32
MAX_SMOKE_CHARACTERS = 20_000
"""Limit on all texts and histories of the smoke set, which is scored on every load."""

_LARGEST_INTEGER = (1 << 63) - 1

Precision = Literal["int8", "float32"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NetworkSizes(_Part):
    """Sizes of the network.

    `cutoffs`, of the adaptive softmax, are the end of the head and of each cluster, in
    tokens.
    """

    vocabulary: int = Field(gt=0, le=MAX_VOCABULARY)
    layers: int = Field(gt=0, le=MAX_STATE_SIZE)
    width: int = Field(gt=0, le=MAX_STATE_SIZE)
    cutoffs: tuple[int, ...] = Field(min_length=1, max_length=MAX_LEVELS)

    @property
    def parameters(self) -> int:
        """Number of weights of the embedding and of the layers' matrices."""
        return self.width * (self.vocabulary + 8 * self.layers * self.width)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.layers * self.width > MAX_STATE_SIZE:
            raise ValueError(f"layers * width is more than {MAX_STATE_SIZE}")
        if self.parameters > MAX_PARAMETERS:
            raise ValueError(f"the network has more than {MAX_PARAMETERS} parameters")
        if not all(before < after for before, after in pairwise((0, *self.cutoffs))):
            raise ValueError("cutoffs are not positive and ascending")
        return self


class FileEntry(_Part):
    """A file of the bundle. An optional file may be absent, but must not differ."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=MAX_BUNDLE_BYTES)
    optional: bool = False


class SmokeCase(_Part):
    """A text after a history with its expected log-probability, including `<eos>`."""

    history: str
    text: str
    log_prob: float


class TextSource(_Part):
    """A source of training text, with its origin and licence."""

    name: str
    origin: str
    licence: str
    weight: float = 1.0


FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=128)]
"""Name of a file directly in the bundle folder."""


class Manifest(_Part):
    """The contents of `bundle.json`.

    It holds the network's sizes, files with checksums, evaluation figures, licences of the training
    text, and the smoke set.
    """

    schema_version: int
    name: str = Field(pattern=NAME_PATTERN, max_length=128)
    version: int = Field(ge=1, le=_LARGEST_INTEGER)
    precision: Precision
    language: str
    created: str
    network: NetworkSizes
    files: dict[FileName, FileEntry] = Field(max_length=MAX_FILES)
    training: dict[str, float | int | str | None]
    figures: dict[str, float | int | None]
    text: tuple[TextSource, ...]
    smoke: tuple[SmokeCase, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(entry.bytes for entry in self.files.values()) > MAX_BUNDLE_BYTES:
            raise ValueError(f"files have more than {MAX_BUNDLE_BYTES} bytes in total")
        if sum(len(case.history) + len(case.text) for case in self.smoke) > MAX_SMOKE_CHARACTERS:
            raise ValueError(f"the smoke set has more than {MAX_SMOKE_CHARACTERS} characters")
        return self


def check_values(value: Any, path: str = "") -> None:
    """Raise `ValueError` for text that is not Unicode and for numbers that protobuf cannot hold.

    `value` is JSON as parsed by Python, which accepts lone surrogates, NaN, infinity, and integers
    of any length.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            check_values(key, path or "a key")
            check_values(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            check_values(inner, f"{path}.{index}")
    elif isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError(f"{path}: not valid Unicode (lone surrogate)")
    elif isinstance(value, float) and not -_LARGEST < value < _LARGEST:
        raise ValueError(f"{path}: {value} is not a finite number")
    elif isinstance(value, int) and not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
        raise ValueError(f"{path}: integer has more than 64 bits")


_LARGEST = float("inf")
