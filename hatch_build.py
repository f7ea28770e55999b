"""Adds the bundled model, the latest int8 version of models/en, to the wheel.

It becomes wordgate/models/en/VERSION. A repository without a published version builds a wheel
without a model.
"""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED_NAME = "en"
NOT_SHIPPED = {"weights.safetensors"}


class ShippedModel(BuildHookInterface):
    """Adds the files of the bundled model to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling; an editable installation finds the model in the repository."""
        root = Path(self.root)
        rule = runpy.run_path(str(root / "service" / "wordgate" / "bundle" / "newest_int8.py"))
        bundle = rule["newest_int8"](root / "models" / SHIPPED_NAME)
        if version == "editable" or bundle is None:
            return
        target = f"wordgate/models/{SHIPPED_NAME}/{bundle.name}"
        for file in sorted(path for path in bundle.rglob("*") if path.is_file()):
            name = file.relative_to(bundle).as_posix()
            if name not in NOT_SHIPPED:
                build_data["force_include"][str(file)] = f"{target}/{name}"
