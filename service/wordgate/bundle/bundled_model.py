"""Where the model lies that comes with the package.

Knows folders only: beside the package in a wheel, in the repository of a checkout.
"""

from pathlib import Path

import wordgate
from wordgate.bundle.bundle import MANIFEST_FILE, find_versions, read_manifest
from wordgate.errors import InvalidBundle, InvalidConfiguration

SHIPPED_NAME = "en"


def bundled_model_path() -> Path:
    """The newest shipped int8 bundle. Raises `InvalidConfiguration` when there is none."""
    package = Path(wordgate.__file__).parent
    for folder in (package / "models", package.parent.parent / "models"):
        found = [path for path in find_versions(folder / SHIPPED_NAME) if _is_int8(path)]
        if found:
            return found[-1]
    raise InvalidConfiguration("model", "this installation has no model; name one with --model")


def latest_version(path: Path) -> Path:
    """The bundle that a path names: itself, or the newest version in the folder.

    Raises `InvalidConfiguration` when nothing is published there.
    """
    found = list(find_versions(path))
    if not found:
        if not path.exists():
            raise InvalidConfiguration("model", f"{path} does not exist")
        problem = f"{path} is not a bundle (a folder with {MANIFEST_FILE}) and contains none"
        raise InvalidConfiguration("model", problem)
    return found[-1]


def resolve_bundle(path: Path | None) -> Path:
    """The bundle that a path names, or without one the shipped. Raises as the two above."""
    return latest_version(path) if path else bundled_model_path()


def _is_int8(path: Path) -> bool:
    try:
        return read_manifest(path).precision == "int8"
    except InvalidBundle:
        return False
