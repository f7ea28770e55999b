"""Which model produced a result."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelVersion:
    """The model that produced a result; `precision` is "int8" or "float32"."""

    name: str = ""
    version: str = ""
    precision: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"
