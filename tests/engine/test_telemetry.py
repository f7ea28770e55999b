"""onnxruntime's telemetry is disabled."""

import os
import subprocess
import sys
from pathlib import Path

OPEN_A_MODEL = """
import sys
from pathlib import Path
from wordgate.engine.local_model import LocalModel
LocalModel.open(Path(sys.argv[1])).close()
"""


def test_opening_a_model_sends_no_telemetry(bundle: Path, tmp_path: Path) -> None:
    """onnxruntime stores no device ID in the home folder."""
    environment = {
        key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"
    }
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", OPEN_A_MODEL, bundle], check=True, env=environment)
    assert not list(tmp_path.rglob("*"))
