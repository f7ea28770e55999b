"""Programs that are deployed beside a server: where they are, and a test without them.

Knows how to find, start and end them; does not know what they are for.
"""

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
    """The path of a program, of this environment or of the system; skips the test without it."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"{name} is not installed; it comes with {comes_with}")
    return found


@contextmanager
def running(command: Sequence[str | Path]) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a process of its own, killed at the end; what it said is shown on failure."""
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
    """What a YAML file holds."""
    return yaml.safe_load(path.read_text("utf-8"))


def _tail(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read()[-4000:].decode(errors="replace")
