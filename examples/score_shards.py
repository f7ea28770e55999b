"""Score a folder of shards on a Ray cluster: python examples/score_shards.py INPUT OUTPUT.

INPUT has files of JSON lines (.jsonl, .json, packed or not) or Parquet, each row with a `text`, or
with `candidates` and perhaps a `history`; OUTPUT gets the same rows as Parquet, with results, in
the order of the files. Without --address a cluster of --workers is started on this machine.
Needs the `ray` extra: pip install 'wordgate[ray]'.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports home unless told otherwise

import ray

from wordgate.offline.arrow import Score


def main() -> None:
    """Score all shards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", help="a bundle's folder; otherwise the shipped model")
    parser.add_argument("--workers", type=int, default=2, help="one core each")
    parser.add_argument("--address", help="of a running cluster, which sees the same folders")
    options = parser.parse_args()
    if not options.input.is_dir() or not any(path.is_file() for path in options.input.iterdir()):
        sys.exit(f"{options.input}: is no folder with files")
    if options.output.exists() and any(options.output.iterdir()):
        sys.exit(f"{options.output}: is not empty; name another folder")
    if options.address:
        ray.init(options.address)
    else:
        # One more than the workers: those who read and write need a place.
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
    """The rows of all files of a folder, in the order of their names."""
    files = sorted(str(path) for path in folder.iterdir() if path.is_file())
    if all(name.endswith(".parquet") for name in files):
        return ray.data.read_parquet(files)
    # Not read_json: that makes numbers and dates of texts which look like them.
    return ray.data.read_text(files).map(parse)


def parse(row: dict[str, str]) -> dict[str, Any]:
    """A line's record; of one that is none, a row without a text, which gets an error."""
    try:
        record = json.loads(row["text"])
    except ValueError:
        record = None
    return record if isinstance(record, dict) else {"text": None, "line": row["text"]}


if __name__ == "__main__":
    main()
