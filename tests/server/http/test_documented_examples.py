"""The curl examples of docs/http.md, run as they stand there."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.running import RunningServer, serving
from tests.server.http.conftest import HTTP

PAGE = (Path(__file__).parents[3] / "docs" / "http.md").read_text("utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```(?:\n\n```\n(.*?)\n```)?", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def shipped() -> Iterator[RunningServer]:
    """A server of the bundled model."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    with serving(None, *HTTP) as server:
        yield server


@pytest.mark.parametrize(("command", "printed"), EXAMPLES)
def test_an_example_works(shipped: RunningServer, command: str, printed: str) -> None:
    """Each command gets an answer: the one shown, or one that is not an error."""
    command = command.replace("127.0.0.1:8080", shipped.http)
    found = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    if printed:
        assert found.stdout.decode() == printed
    else:
        assert b'"model' in found.stdout or b'"word"' in found.stdout
        assert b'"code"' not in found.stdout


def test_the_page_has_examples() -> None:
    """The pattern finds the examples, one of them with its output."""
    assert len(EXAMPLES) == 5
    assert [bool(printed) for _, printed in EXAMPLES].count(True) == 1
