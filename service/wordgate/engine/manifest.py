"""What `bundle.json` says.

Knows the document's schema; does not read the files that it names.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1
"""The newest schema that this package reads and the one that it writes."""

NAME_PATTERN = "^[a-z0-9][a-z0-9_-]*$"
"""What a model may be called: it is part of folders' names and of addresses."""

Precision = Literal["int8", "float32"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkSizes(_Part):
    """Sizes of the network; `cuts` are the ends of the head and of each cluster, in pieces."""

    vocabulary: int = Field(gt=0)
    layers: int = Field(gt=0)
    width: int = Field(gt=0)
    cuts: tuple[int, ...] = Field(min_length=1)


class FileEntry(_Part):
    """A file of the bundle. An optional one may be absent, not changed."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)
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


class Manifest(_Part):
    """A published model: its sizes, files, figures, the licences of its text, its smoke set."""

    schema_version: int
    name: str = Field(pattern=NAME_PATTERN)
    version: int = Field(ge=1)
    precision: Precision
    language: str
    created: str
    network: NetworkSizes
    files: dict[str, FileEntry]
    training: dict[str, float | int | str | None]
    figures: dict[str, float | int | None]
    text: tuple[TextSource, ...]
    smoke: tuple[SmokeCase, ...] = Field(min_length=1)
