"""The process pool."""

import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from wordgate.training.data.process_pool import Workers

ENOUGH = 1 << 30

PARENT = """
import os, time
from functools import partial
from wordgate.training.data.process_pool import Workers

def identify():
    return report

def report(chunk):
    return os.getpid()

if __name__ == "__main__":
    with Workers(identify, 1 << 30) as workers:
        print(*set(workers.in_order(range(50))), flush=True)
        time.sleep(60)
"""


def _doubling() -> "partial[int]":
    return partial(operator.mul, 2)


def test_results_come_in_order() -> None:
    """Results are in the order of the chunks, for any number of chunks."""
    with Workers[int, int](_doubling, ENOUGH) as workers:
        assert list(workers.in_order(range(200))) == [2 * number for number in range(200)]
        assert list(workers.in_order([])) == []


def test_little_work_starts_no_process() -> None:
    """Small inputs are processed lazily in the calling process."""
    with Workers[int, int](_doubling, 10) as workers:
        assert list(workers.in_order([1, 2])) == [2, 4]
        assert workers._executor is None


def test_chunks_are_read_as_they_are_needed() -> None:
    """Only a few chunks are in flight, so the input may be larger than memory."""
    taken = 0

    def count() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    with Workers[int, int](_doubling, ENOUGH) as workers:
        results = workers.in_order(count())
        assert [next(results) for _ in range(10)] == [2 * number for number in range(10)]
        assert taken < 20


def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    """When a training process is killed, its workers end too."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    workers = [int(number) for number in process.stdout.readline().split()]
    assert workers
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 30
    while any(_is_alive(number) for number in workers):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{number}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
