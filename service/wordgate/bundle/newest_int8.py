"""Find the newest int8 version of each bundled model.

Imports the standard library only: hatch_build.py loads this file to choose the models of the wheel.
"""

import json
from pathlib import Path

BUNDLED_NAMES = ("en", "zh")
"""Names of the bundled models, the default one first."""


def bundled_in(models: Path) -> list[Path]:
    """Return the newest int8 version of each bundled model in the folder of all models."""
    found = (newest_int8(models / name) for name in BUNDLED_NAMES)
    return [path for path in found if path is not None]


def newest_int8(folder: Path) -> Path | None:
    """Return the int8 bundle with the greatest version number in a model's folder, if any."""
    found = [file.parent for file in folder.glob("*/bundle.json") if _is_int8(file)]
    versions = [path for path in found if path.name.isascii() and path.name.isdecimal()]
    return max(versions, key=lambda path: int(path.name), default=None)


def _is_int8(manifest: Path) -> bool:
    try:
        return bool(json.loads(manifest.read_text("utf-8"))["precision"] == "int8")
    except (OSError, ValueError, KeyError, TypeError):
        return False
