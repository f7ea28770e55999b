"""`wordgate export` on the command line."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from wordgate.cli.commands.export import export
from wordgate.errors import InvalidFile
from wordgate.training import checkpoint as checkpoints


def test_files_to_measure_on_are_checked_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing evaluation file is reported before the checkpoint is opened."""

    def never(path: Path) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(checkpoints, "load", never)
    for name, problem in (("none.txt", "does not exist"), ("notes.md", "is not one of")):
        (tmp_path / "notes.md").write_text("# notes")
        checkpoint = tmp_path / "step.safetensors"
        checkpoint.write_bytes(b"")
        arguments = [str(checkpoint), "--evaluate", str(tmp_path / name)]
        result = CliRunner().invoke(export, arguments)
        assert isinstance(result.exception, InvalidFile)
        assert problem in str(result.exception)
