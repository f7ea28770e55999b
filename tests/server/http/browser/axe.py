"""axe-core, the accessibility checker, from the npm registry (MPL-2.0, so it is not committed)."""

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from playwright.sync_api import Page

VERSION = "4.14.1"
_CACHE = Path(__file__).parents[4] / ".cache" / f"axe-core-{VERSION}"
_TIMEOUT_SECONDS = 60


def axe_core() -> str:
    """Return the script of axe-core. Skips the test if it cannot be fetched."""
    script = _CACHE / "axe.min.js"
    if not script.exists():
        _fetch(script)
    return script.read_text("utf-8")


def _fetch(script: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed; it fetches axe-core")
    _CACHE.mkdir(parents=True, exist_ok=True)
    command = [npm, "pack", "--silent", f"axe-core@{VERSION}", "--pack-destination", str(_CACHE)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_SECONDS)
    except (subprocess.SubprocessError, OSError):
        pytest.skip("axe-core cannot be fetched from the npm registry")
    with tarfile.open(_CACHE / f"axe-core-{VERSION}.tgz") as package:
        content = package.extractfile("package/axe.min.js")
        assert content is not None
        script.write_bytes(content.read())


def violations(page: Page) -> list[str]:
    """Return what axe-core finds on the page as it is shown, as `rule: elements`."""
    page.evaluate(axe_core())
    found = page.evaluate("axe.run()")
    return [
        f"{rule['id']}: {[node['html'][:120] for node in rule['nodes']]}"
        for rule in found["violations"]
    ]
