"""Score a folder of shards on a Ray cluster: python examples/score_shards.py INPUT OUTPUT.

INPUT contains JSON lines (.jsonl, .json, optionally compressed) or Parquet files. Each row has a
`text`, or `candidates` and optionally a `history`. The rows are written to OUTPUT as Parquet with
their results, in the order of the files. Without --address, a cluster of --workers is started on
this machine. Needs the `ray` extra: pip install 'wordgate[ray]'.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # disable Ray's telemetry

import ray

from wordgate.offline.arrow import Score


def main() -> None:
    """Score all shards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", help="bundle folder; default: the bundled model")
    parser.add_argument("--workers", type=int, default=2, help="number of workers, one core each")
    parser.add_argument(
        "--address", help="address of a running cluster with access to the same folders"
    )
    options = parser.parse_args()
    if not options.input.is_dir() or not any(path.is_file() for path in options.input.iterdir()):
        sys.exit(f"{options.input}: is not a folder with files")
    if options.output.exists() and any(options.output.iterdir()):
        sys.exit(f"{options.output}: is not empty; choose another folder")
    if options.address:
        ray.init(options.address)
    else:
        # One more CPU than workers, for the tasks that read and write.
        ray.init(num_cpus=options.workers + 1, include_dashboard=False)
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    began = time.perf_counter()
    scored = read(options.input).map_batches(
        Score,
        fn_constructor_kwargs={"model": options.model},
        batch_format="pyarrow",
        batch_size=1024,
        compute=ray.data.ActorPoolStrategy(size=options.workers),
        num_cpus=1,
    )
    scored.write_parquet(str(options.output))
    print(f"{options.output}: written in {time.perf_counter() - began:.1f} s")


def read(folder: Path) -> ray.data.Dataset:
    """Return the rows of all files of a folder, in the order of the file names."""
    files = sorted(str(path) for path in folder.iterdir() if path.is_file())
    if all(name.endswith(".parquet") for name in files):
        return ray.data.read_parquet(files)
    # Not read_json: it converts texts that look like numbers or dates.
    return ray.data.read_text(files).map(parse)


def parse(row: dict[str, str]) -> dict[str, Any]:
    """Parse a line's record. An invalid line gives a row without a text, which yields an error."""
    try:
        record = json.loads(row["text"])
    except ValueError:
        record = None
    return record if isinstance(record, dict) else {"text": None, "line": row["text"]}


if __name__ == "__main__":
    main()
