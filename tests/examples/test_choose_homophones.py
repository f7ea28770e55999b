"""The example that chooses characters among homophones."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bundles import CHINESE_TEXT, write_bundle
from tests.running import RunningServer, serving

EXAMPLE = Path(__file__).parents[2] / "examples" / "choose_homophones.py"
HOMOPHONES = {"天": "天田甜", "气": "器气汽", "校": "笑小校"}


@pytest.fixture(scope="module")
def chinese(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of a Chinese model."""
    models: Path = tmp_path_factory.mktemp("models")
    with serving(write_bundle(models, name="zh", language="zh-Hans", text=CHINESE_TEXT)) as server:
        yield server


def _chosen(
    server: RunningServer, path: Path, *lines: object
) -> "subprocess.CompletedProcess[str]":
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    command = [sys.executable, str(EXAMPLE), str(path), "--server", server.address]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_each_line_gets_one_candidate_per_slot(chinese: RunningServer, tmp_path: Path) -> None:
    """The text has the length of the line; errors are counted where there is a reference."""
    reference = "今天天气很好！明天我们去学校看书。"
    slots = [list(HOMOPHONES.get(each, each)) for each in reference]
    lines = [{"utt": "a", "slots": slots, "reference": reference}, {"utt": "b", "slots": [["好"]]}]
    ran = _chosen(chinese, tmp_path / "lines.jsonl", *lines)
    (first, text), second = (line.split("\t") for line in ran.stdout.splitlines())
    assert (first, second) == ("a", ["b", "好"])
    assert all(each in slot for each, slot in zip(text, slots, strict=True))
    wrong = sum(right != each for right, each in zip(reference, text, strict=True))
    assert ran.stderr.splitlines() == [
        f"Han characters wrong: {wrong / 15:.2%}",
        f"lines wrong: {100.0 if wrong else 0.0}% of 1",
    ]


def test_a_malformed_line_is_named(chinese: RunningServer, tmp_path: Path) -> None:
    """The only output is one line with the file, the line's number and the missing field."""
    ran = _chosen(chinese, tmp_path / "lines.jsonl", {"utt": "a", "slots": []}, {"utt": "b"})
    assert ran.returncode == 1
    problem = "line 2: field 'slots' is missing"
    assert ran.stderr == f"choose_homophones: {tmp_path}/lines.jsonl, {problem}\n"
