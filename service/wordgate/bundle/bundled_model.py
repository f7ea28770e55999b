"""Locate the bundled models: inside the package in a wheel, at the root of a checkout."""

from pathlib import Path

import wordgate
from wordgate.bundle.newest_int8 import BUNDLED_NAMES, bundled_in
from wordgate.bundle.versions import MANIFEST_FILE, find_versions
from wordgate.errors import InvalidConfiguration


def bundled_model_path() -> Path:
    """Return the default bundled model. Raises the error of `bundled_model_paths`."""
    return bundled_model_paths()[0]


def bundled_model_paths() -> list[Path]:
    """Return the latest int8 version of each bundled model, the default one first.

    Raises `InvalidConfiguration` if there is none.
    """
    for folder in _own_folders():
        if found := bundled_in(folder):
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


def find_bundle(named: str) -> Path:
    """Return the bundle at a path, or of a name (`find_folder`); the latest version without one.

    Raises `InvalidConfiguration` if there is none.
    """
    return latest_version(find_folder(named))


def find_folder(named: str) -> Path:
    """Return the folder of bundles at a path, or of a name, `NAME` or `NAME@VERSION`.

    Names are looked for in `models` of the working directory, then among the bundled models. A
    folder without a bundle is returned only if there is no other. Raises `InvalidConfiguration` if
    there is none.
    """
    places = (Path("models"), *_own_folders())
    paths = [Path(named), *(folder / named.replace("@", "/") for folder in places)]
    existing = [path for path in paths if named and path.exists()]
    if existing:
        published = (path for path in existing if any(find_versions(path)))
        return next(published, existing[0])
    raise InvalidConfiguration(
        "model",
        f"{named or repr(named)} does not exist; name a bundle's folder, or a model of models/ or "
        f"of the package ({', '.join(BUNDLED_NAMES)})",
    )


def resolve_bundle(path: Path | None) -> Path:
    """Return the bundle at a path or of a name (`find_bundle`), or the bundled model without one.

    Raises `InvalidConfiguration` if there is no bundle.
    """
    return find_bundle(str(path)) if path else bundled_model_path()


def _own_folders() -> tuple[Path, ...]:
    """Return the folders that may hold bundled models."""
    package = Path(wordgate.__file__).parent
    return package / "models", package.parent.parent / "models"
