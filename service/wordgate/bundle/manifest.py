"""What `bundle.json` says.

Knows the document's schema and how large a model may be; does not read the files that it names.
"""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 1
"""The newest schema that this package reads and the one that it writes."""

NAME_PATTERN = "^[a-z0-9][a-z0-9_-]*$"
"""What a model may be called: it is part of folders' names and of addresses."""

MAX_VOCABULARY = 1 << 18
MAX_LEVELS = 64
MAX_STATE_SIZE = 1 << 16
"""Layers times width: hidden values of one state."""

MAX_PARAMETERS = 1 << 28
"""Weights of the embedding and the layers: 1 GiB as float32, 256 MiB as int8."""

MAX_FILES = 256
MAX_BUNDLE_BYTES = 1 << 32
MAX_SMOKE_CHARACTERS = 20_000
"""Of all texts and histories of the smoke set: each is scored whenever a bundle is loaded."""

_LARGEST_INTEGER = (1 << 63) - 1

Precision = Literal["int8", "float32"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NetworkSizes(_Part):
    """Sizes of the network; `cuts` are the ends of the head and of each cluster, in pieces."""

    vocabulary: int = Field(gt=0, le=MAX_VOCABULARY)
    layers: int = Field(gt=0, le=MAX_STATE_SIZE)
    width: int = Field(gt=0, le=MAX_STATE_SIZE)
    cuts: tuple[int, ...] = Field(min_length=1, max_length=MAX_LEVELS)

    @property
    def parameters(self) -> int:
        """Weights of the embedding and of the layers' matrices."""
        return self.width * (self.vocabulary + 8 * self.layers * self.width)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.layers * self.width > MAX_STATE_SIZE:
            raise ValueError(f"layers * width is more than {MAX_STATE_SIZE}")
        if self.parameters > MAX_PARAMETERS:
            raise ValueError(f"the network has more than {MAX_PARAMETERS} parameters")
        if not all(before < after for before, after in pairwise((0, *self.cuts))):
            raise ValueError("cuts do not ascend from above 0")
        return self


class FileEntry(_Part):
    """A file of the bundle. An optional one may be absent, not changed."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=MAX_BUNDLE_BYTES)
    optional: bool = False


class SmokeCase(_Part):
    """A text after a history with its expected log-probability, `<eos>` counted."""

    history: str
    text: str
    log_prob: float


class TextSource(_Part):
    """A part of the training text: where it comes from and under which licence."""

    name: str
    origin: str
    licence: str
    weight: float = 1.0


FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=128)]
"""A file in the bundle's own folder."""


class Manifest(_Part):
    """A published model: its sizes, files, figures, the licences of its text, its smoke set."""

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
            raise ValueError(f"its files have more than {MAX_BUNDLE_BYTES} bytes")
        if sum(len(case.history) + len(case.text) for case in self.smoke) > MAX_SMOKE_CHARACTERS:
            raise ValueError(f"its smoke set has more than {MAX_SMOKE_CHARACTERS} characters")
        return self


def check_values(value: Any, place: str = "") -> None:
    """Raise `ValueError` for text that is not Unicode and numbers that no client can be sent.

    `value` is JSON as Python reads it, which takes lone surrogates, NaN and infinity, and whole
    numbers of any length.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            check_values(key, place or "a key")
            check_values(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            check_values(inner, f"{place}.{index}")
    elif isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError(f"{place}: not Unicode: a lone surrogate")
    elif isinstance(value, float) and not -_LARGEST < value < _LARGEST:
        raise ValueError(f"{place}: {value} is not a finite number")
    elif isinstance(value, int) and not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
        raise ValueError(f"{place}: the whole number has more than 64 bits")


_LARGEST = float("inf")
