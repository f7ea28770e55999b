"""Adds the bundled models, the latest int8 version of each, to the wheel.

They become wordgate/models/NAME/VERSION. A model without a published version is left out.
"""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NOT_SHIPPED = {"weights.safetensors"}


class BundledModels(BuildHookInterface):
    """Adds the files of the bundled models to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling; an editable installation finds the models in the repository."""
        root = Path(self.root)
        rule = runpy.run_path(str(root / "service" / "wordgate" / "bundle" / "newest_int8.py"))
        if version == "editable":
            return
        for bundle in rule["bundled_in"](root / "models"):
            self._add(bundle, build_data["force_include"])

    def _add(self, bundle: Path, included: dict[str, str]) -> None:
        target = f"wordgate/models/{bundle.parent.name}/{bundle.name}"
        for file in sorted(path for path in bundle.rglob("*") if path.is_file()):
            name = file.relative_to(bundle).as_posix()
            if name not in NOT_SHIPPED:
                included[str(file)] = f"{target}/{name}"
