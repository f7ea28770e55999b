"""Fixtures for command tests."""

from pathlib import Path

import pytest
from tests.cli.calling import Ended, Run

from wordgate.cli import main as commands


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `wordgate` with arguments in this process."""

    def command(*arguments: str | Path) -> Ended:
        code = 0
        try:
            commands.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return command
