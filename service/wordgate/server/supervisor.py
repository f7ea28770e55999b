"""Supervise several server processes that share one port.

Workers are spawned, never forked: threads and gRPC do not survive a fork. The kernel distributes
connections among the workers (SO_REUSEPORT), so each connection stays with one worker.
"""

import asyncio
import gc
import json
import signal
import socket
import sys
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog

from wordgate import errors
from wordgate.errors import InvalidConfiguration, WordgateError
from wordgate.protocol.address import split_address
from wordgate.server.config.options import Configuration
from wordgate.server.security.exposure_warning import warn_if_exposed
from wordgate.server.telemetry.http import HttpServer, application
from wordgate.server.telemetry.merged_metrics import MergedMetrics

_SCRAPE_SECONDS = 2.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0
_MARGIN_SECONDS = 5.0
"""Time after the shutdown grace until a worker that has not exited is killed."""

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_PROVEN_SECONDS = 10.0
"""After a worker has run for this long, its restart back-off is reset."""

_DIVIDED = (
    "max_sessions",
    "max_rescore_streams",
    "max_generation_streams",
    "max_concurrent_rpcs",
    "max_in_flight_bytes",
    "max_in_flight_stream_bytes",
    "max_queued_rows",
)
"""Limits of the whole server. Each worker gets an equal share, rounded up."""


class Workers:
    """Runs `configuration.workers` server processes until SIGTERM and restarts those that exit."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._log: Any = structlog.get_logger()
        self._stopping = asyncio.Event()
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._http_of: dict[int, str] = {}
        self._metrics = MergedMetrics()
        self._all_ready = asyncio.Event()
        self._sighup_pending: set[int] = set()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises the error of a worker that cannot start."""
        configuration = self._configuration
        with (
            _reserved(configuration.listen) as listen,
            _reserved(configuration.http_listen, "http_listen") as http_listen,
        ):
            share = _share_of(configuration, listen, http_listen)
            http = self._listen()
            loop = asyncio.get_running_loop()
            for end in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(end, self._stop)
            loop.add_signal_handler(signal.SIGHUP, self._look)
            try:
                async with asyncio.TaskGroup() as group:
                    for number in range(self._configuration.workers):
                        group.create_task(self._look_after(number, share))
                    group.create_task(self._announce(share, http))
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from None
            finally:
                if http is not None:
                    await http.close()
        self._log.info("stopped")

    def _listen(self) -> HttpServer | None:
        if not self._configuration.metrics_listen:
            return None
        app = application(self._scraped, lambda: bool(self._http_of) and self._is_ready())
        http = HttpServer(self._configuration.metrics_listen)
        http.start(app)
        return http

    def _is_ready(self) -> bool:
        return self._all_ready.is_set() and not self._stopping.is_set()

    async def _announce(self, share: Configuration, metrics: HttpServer | None) -> None:
        await self._all_ready.wait()
        if not self._stopping.is_set():
            self._log.info(
                "serving",
                grpc=share.listen,
                metrics=metrics.address if metrics else "off",
                http=share.http_listen or "off",
                workers=self._configuration.workers,
            )
            warn_if_exposed(self._configuration)

    def _stop(self) -> None:
        """Let all workers drain, and kill those that do not exit in time."""
        self._stopping.set()
        self._all_ready.set()
        self._signal(signal.SIGTERM)
        seconds = self._configuration.shutdown_grace_seconds + _MARGIN_SECONDS
        asyncio.get_running_loop().call_later(seconds, self._signal, signal.SIGKILL)

    def _look(self) -> None:
        """Forward SIGHUP to ready workers at once, and to starting workers once they are ready."""
        self._sighup_pending = self._processes.keys() - self._http_of.keys()
        self._signal(signal.SIGHUP, self._http_of)

    def _signal(self, number: signal.Signals, workers: Collection[int] | None = None) -> None:
        for worker, process in self._processes.items():
            if process.returncode is None and (workers is None or worker in workers):
                process.send_signal(number)

    async def _look_after(self, worker: int, share: Configuration) -> None:
        """Run a worker and restart it when it exits, with exponential back-off."""
        pause = _FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            code = await self._run_one(worker, share)
            if self._stopping.is_set():
                return
            lived = loop.time() - began
            pause = _FIRST_PAUSE_SECONDS if lived > _PROVEN_SECONDS else pause
            self._log.error("worker exited; restarting it", worker=worker, code=code)
            try:
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            except TimeoutError:
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _run_one(self, worker: int, share: Configuration) -> int:
        """Run a worker process and return its exit code.

        Raises the worker's error if it cannot start while the server itself is starting.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "wordgate.server.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._processes[worker] = process
        if self._stopping.is_set():
            process.terminate()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(RuntimeError):  # raised by uvloop if the worker has already exited
                process.stdin.write(_start_message(worker, share))
            async for line in process.stdout:
                self._heard(worker, json.loads(line))
            return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            self._http_of.pop(worker, None)
            self._metrics.forget(worker)

    def _heard(self, worker: int, message: dict[str, Any]) -> None:
        if "http" in message:
            self._http_of[worker] = message["http"]
            if worker in self._sighup_pending:
                self._sighup_pending.remove(worker)
                self._signal(signal.SIGHUP, {worker})
            if len(self._http_of) == self._configuration.workers:
                self._all_ready.set()
        elif not self._all_ready.is_set():
            raise _error(message)
        else:
            self._log.error("worker cannot start", worker=worker, problem=message["message"])

    async def _scraped(self) -> MergedMetrics:
        """Return the merged metrics of all workers that answer."""
        addresses = dict(self._http_of)
        pages = await asyncio.gather(
            *(asyncio.to_thread(_page, address) for address in addresses.values()),
            return_exceptions=True,
        )
        for worker, page in zip(addresses, pages, strict=True):
            if not isinstance(page, str):
                self._log.warning("metrics of a worker unavailable", worker=worker)
            elif worker in self._http_of:
                self._metrics.update(worker, page)
        return self._metrics


@contextmanager
def _reserved(listen: str, option: str = "listen") -> Iterator[str]:
    """Reserve an address for the workers inside the context; provide it with the actual port.

    Raises `InvalidConfiguration` if it is in use. An empty address stays empty.
    """
    if not listen:
        yield listen
        return
    with _bound(listen, option) as bound:
        yield f"{listen.rpartition(':')[0]}:{bound.getsockname()[1]}"


def _bound(listen: str, option: str) -> socket.socket:
    host, port = split_address(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        with socket.socket(family, socket.SOCK_STREAM) as alone:
            # Fails if any process listens here, including another server's workers. Ignores
            # connections in TIME_WAIT that a stopped server has left.
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind((host, port))
        _bind(bound, (host, port))
    except OSError as error:
        bound.close()
        problem = f"cannot listen on {listen} ({error.strerror}); choose another address"
        raise InvalidConfiguration(option, problem) from None
    return bound


def _bind(bound: socket.socket, address: tuple[str, int]) -> None:
    """Bind with SO_REUSEPORT, and add SO_REUSEADDR only if that fails.

    It fails if connections of a single-process server linger on the port. With SO_REUSEADDR always
    set, two servers that start at the same time would not detect each other.
    """
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind(address)
    except OSError:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)


def _share_of(configuration: Configuration, listen: str, http_listen: str) -> Configuration:
    """Return the configuration of each worker; limits and caches are divided among them."""
    workers = configuration.workers
    parts = {name: -(-getattr(configuration, name) // workers) for name in _DIVIDED}
    return configuration.model_copy(
        update={
            "workers": 1,
            "listen": listen,
            "http_listen": http_listen,
            "metrics_listen": "127.0.0.1:0",
            "state_cache_bytes": configuration.state_cache_bytes // workers,
            **parts,
        }
    )


def _start_message(worker: int, share: Configuration) -> bytes:
    document = {
        "worker": worker,
        "collect_every": gc.get_threshold()[0],
        "configuration": share.model_dump(mode="json"),
    }
    return f"{json.dumps(document)}\n".encode()


def _page(address: str) -> str:
    with _DIRECT.open(f"http://{address}/metrics", timeout=_SCRAPE_SECONDS) as answer:
        return str(answer.read().decode())


def _error(message: dict[str, Any]) -> Exception:
    """Rebuild a worker's error with its class and message, so that the exit code is the same."""
    if message["failed"] == "OSError":
        return OSError(message["errno"], message["message"], message["file"])
    if message["failed"] == InvalidConfiguration.__name__:
        return InvalidConfiguration(message["option"], message["problem"])
    error_class: type[WordgateError] = getattr(errors, message["failed"], WordgateError)
    error = error_class.__new__(error_class)
    Exception.__init__(error, message["message"])
    return error
