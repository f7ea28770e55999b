"""Locate the bundled model: inside the package in a wheel, at the root of a checkout."""

from pathlib import Path

import wordgate
from wordgate.bundle.bundle import MANIFEST_FILE, find_versions
from wordgate.bundle.newest_int8 import newest_int8
from wordgate.errors import InvalidConfiguration

SHIPPED_NAME = "en"


def bundled_model_path() -> Path:
    """Return the latest bundled int8 model. Raises `InvalidConfiguration` if there is none."""
    package = Path(wordgate.__file__).parent
    for folder in (package / "models", package.parent.parent / "models"):
        found = newest_int8(folder / SHIPPED_NAME)
        if found is not None:
            return found
    raise InvalidConfiguration("model", "no model is bundled with this installation; set --model")


def latest_version(path: Path) -> Path:
    """Return the bundle at a path: the path itself, or the latest version below it.

    Raises `InvalidConfiguration` if there is no bundle.
    """
    versions = list(find_versions(path))
    if not versions:
        if not path.exists():
            raise InvalidConfiguration("model", f"{path} does not exist")
        problem = f"{path} contains no model ({MANIFEST_FILE})"
        raise InvalidConfiguration("model", problem)
    return versions[-1]


def resolve_bundle(path: Path | None) -> Path:
    """Return the bundle at a path, or the bundled model without one.

    Raises `InvalidConfiguration` if there is no bundle.
    """
    return latest_version(path) if path else bundled_model_path()
