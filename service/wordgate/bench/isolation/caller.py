"""A load generator that repeats one request: `python -m wordgate.bench.isolation.caller ADDRESS …`.

Runs in a separate process so that it does not disturb measurements. Prints `calling` when its
messages are built, and its counts as JSON when it ends: after `CALLS` calls or on SIGTERM.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from queue import SimpleQueue
from random import Random
from time import perf_counter
from typing import Any

import grpc

from wordgate.bench.isolation.load import Load
from wordgate.bench.isolation.loads import GROUPS
from wordgate.errors import WordgateError

CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
)
_ENDING_SECONDS = 20.0


class Stopped(Exception):
    """Raised in the main thread on SIGTERM."""


class Caller:
    """Repeats a load over one connection with several calls in flight; counts status codes."""

    def __init__(self, address: str, load: Load, in_flight: int, calls: int) -> None:
        """`calls` is the total number; 0 means unlimited, until `close`."""
        self._channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._load = load
        self._calls = calls
        self._numbers = count()
        self._lock = threading.Lock()
        self._stopped = False
        self.codes: Counter[str] = Counter()
        self.answers = 0
        self._threads = [
            threading.Thread(target=self._repeat, daemon=True) for _ in range(in_flight)
        ]

    def run(self) -> None:
        """Make the calls; return when all have ended."""
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """Cancel the calls in flight."""
        self._stopped = True
        self._channel.close()

    def _repeat(self) -> None:
        while not self._stopped:
            number = next(self._numbers)
            if self._calls and number >= self._calls:
                return
            try:
                code = self._stream() if self._load.is_stream else self._call(number)
            except ValueError:  # grpc: the channel is closed
                return
            with self._lock:
                self.codes[code] += 1

    def _call(self, number: int) -> str:
        load = self._load
        ask: Any = self._channel.unary_stream(load.path)
        call = ask(load.message(number), timeout=load.timeout_seconds)
        if load.cancel_seconds is not None:
            timer = threading.Timer(load.cancel_seconds, call.cancel)
            timer.start()
        return self._code(call)

    def _stream(self) -> str:
        """Send messages until the stream ends or the caller is closed."""
        answered: SimpleQueue[None] = SimpleQueue()
        ask: Any = self._channel.stream_stream(self._load.path)

        def messages() -> Iterator[bytes]:
            yield self._load.first
            for number in count():
                yield self._load.message(number)
                if not self._load.pipelined:
                    answered.get()

        call = ask(messages(), timeout=self._load.timeout_seconds)
        return self._code(call, answered)

    def _code(self, call: Any, answered: "SimpleQueue[None] | None" = None) -> str:
        """Read all responses of a call and return the name of its status code."""
        try:
            for _ in call:
                self.answers += 1
                if answered is not None:
                    answered.put(None)
        except grpc.RpcError:
            pass
        if answered is not None:
            answered.put(None)
        code: grpc.StatusCode = call.code()
        return code.name


class Calling:
    """A load generator in another process; `counts` is set by `stop`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.counts: dict[str, Any] = {}

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds`; return whether it ended by itself."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """Stop the process and read its counts."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            output, _ = self._process.communicate(timeout=_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            output, _ = self._process.communicate()
        lines = [line for line in output.splitlines() if line.startswith("{")]
        self.counts = json.loads(lines[-1]) if lines else {}


@contextmanager
def calling(
    address: str, group: str, name: str, *, in_flight: int = 0, calls: int = 0, seed: int = 1
) -> Iterator[Calling]:
    """Run a load generator in another process until the end of the block.

    Raises `WordgateError` if it does not start.
    """
    command = [sys.executable, "-m", "wordgate.bench.isolation.caller", address, group, name]
    process = subprocess.Popen(
        [*command, str(in_flight), str(calls), str(seed)], stdout=subprocess.PIPE, text=True
    )
    caller = Calling(process)
    try:
        if not process.stdout or process.stdout.readline() != "calling\n":
            raise WordgateError(f"load generator {group}/{name} did not start")
        yield caller
    finally:
        caller.stop()


def main() -> None:
    """Call until all calls are made or SIGTERM arrives, then print the counts."""
    address, group, name, in_flight, calls, seed = sys.argv[1:]
    signal.signal(signal.SIGTERM, _stop)
    load = GROUPS[group][name](Random(f"{seed} {name}"))
    caller = Caller(address, load, int(in_flight) or load.in_flight, int(calls))
    began = perf_counter()
    try:
        sys.stdout.write("calling\n")
        sys.stdout.flush()
        caller.run()
    except Stopped:
        pass
    seconds = round(perf_counter() - began, 3)
    counts = {"codes": dict(caller.codes), "answers": caller.answers, "seconds": seconds}
    sys.stdout.write(json.dumps(counts) + "\n")
    sys.stdout.flush()
    caller.close()
    os._exit(0)  # threads blocked in gRPC must not delay the exit


def _stop(*_: object) -> None:
    raise Stopped


if __name__ == "__main__":
    main()
