"""Find, start and stop the programs that are deployed with a server."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def program(name: str, comes_with: str) -> str:
    """Return a program's path, in this environment or on the PATH. Skips the test without it."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"{name} is not installed; it comes with {comes_with}")
    return found


@contextmanager
def running(command: Sequence[str | Path]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program during the block, then kill it. Its output is shown on failure."""
    with TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        try:
            yield process
        except BaseException:
            sys.stderr.write(_tail(said))
            raise
        finally:
            process.kill()
            process.wait()


def document(path: Path) -> Any:
    """Load a YAML file."""
    return yaml.safe_load(path.read_text("utf-8"))


def _tail(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read()[-4000:].decode(errors="replace")
