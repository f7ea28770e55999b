"""The example that scores a folder of shards on a Ray cluster."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from wordgate.engine.local_model import LocalModel

EXAMPLE = Path(__file__).parents[2] / "examples" / "score_shards.py"


@pytest.mark.long
def test_two_workers_give_the_bits_of_one_process(
    bundle: Path, local: LocalModel, tmp_path: Path
) -> None:
    """The output has every row once, in order, with values bit-identical to a single process."""
    shards, out = tmp_path / "shards", tmp_path / "scored"
    shards.mkdir()
    texts = [f"the {word} is {n}" for n in range(700) for word in ("sun", "sea", "sky")]
    texts[:2] = ["2024", "2024-01-01"]
    for shard in range(3):
        part = texts[shard * 700 : (shard + 1) * 700]
        lines = "".join(json.dumps({"text": text, "history": "look"}) + "\n" for text in part)
        (shards / f"part-{shard}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    command = [sys.executable, str(EXAMPLE), str(shards), str(out), "--model", str(bundle)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    files = sorted(out.glob("*.parquet"))
    rows = [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]
    assert [row["text"] for row in rows] == texts
    asked = [local.submit_score("look", [text]) for text in texts]
    expected = [answer.result().candidates[0].log_prob for answer in asked]
    assert [row["log_prob"] for row in rows] == expected
    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (again.returncode, again.stderr) == (1, f"{out}: is not empty; choose another folder\n")
