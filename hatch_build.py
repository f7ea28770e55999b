"""Puts the shipped model into the wheel.

Knows where models lie in the repository and what of them serving needs. The model that ships is the
latest int8 version of models/en; it becomes wordgate/models/en/VERSION. A repository without a
published version makes a wheel without a model.
"""

import json
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED_NAME = "en"
NOT_SHIPPED = {"weights.safetensors"}


class ShippedModel(BuildHookInterface):
    """Adds the files of the shipped model to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling; an editable installation finds the model in the repository."""
        bundle = latest_bundle(Path(self.root) / "models" / SHIPPED_NAME)
        if version == "editable" or bundle is None:
            return
        target = f"wordgate/models/{SHIPPED_NAME}/{bundle.name}"
        for file in sorted(path for path in bundle.rglob("*") if path.is_file()):
            name = file.relative_to(bundle).as_posix()
            if name not in NOT_SHIPPED:
                build_data["force_include"][str(file)] = f"{target}/{name}"


def latest_bundle(folder: Path) -> Path | None:
    """The int8 bundle with the greatest version number in a model's folder, if there is one."""
    found = [path.parent for path in folder.glob("*/bundle.json")]
    found = [path for path in found if path.name.isascii() and path.name.isdecimal()]
    found = [bundle for bundle in found if _precision(bundle) == "int8"]
    return max(found, key=lambda bundle: int(bundle.name), default=None)


def _precision(bundle: Path) -> Any:
    return json.loads((bundle / "bundle.json").read_text("utf-8")).get("precision")
