"""Run one of several server processes under a supervisor.

The supervisor writes the configuration to standard input as one line of JSON and then keeps the
pipe open. The worker answers on standard output with one line of JSON: the address of its metrics,
or the reason that it cannot start. The worker exits when the pipe closes. Only
`wordgate.server.supervisor` runs `python -m wordgate.server.worker`.
"""

from wordgate.server.signals import handle_while_starting, ignore_while_stopping

handle_while_starting()  # before the slow imports

# isort: split

import asyncio
import gc
import json
import os
import sys

import structlog

from wordgate.errors import WordgateError
from wordgate.server.config.options import Configuration
from wordgate.server.event_loop import loop_factory
from wordgate.server.server import Server
from wordgate.server.telemetry.logging import configure_logs, log_lost_errors


def main() -> None:
    """Serve until a signal to stop, or until the supervisor is gone."""
    line = sys.stdin.readline()
    if not line:
        sys.exit(1)  # the supervisor is already gone
    message = json.loads(line)
    gc.set_threshold(message["collect_every"])
    configuration = Configuration.model_validate(message["configuration"])
    configure_logs(configuration.log_format, worker=message["worker"])
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(configuration))
    except WordgateError as error:
        details = {n: getattr(error, n) for n in ("option", "problem") if hasattr(error, n)}
        _send({"failed": type(error).__name__, "message": str(error), **details})
        sys.exit(1)
    except OSError as error:
        details = {"errno": error.errno, "file": error.filename}
        _send({"failed": "OSError", "message": error.strerror or str(error), **details})
        sys.exit(1)


async def _serve(configuration: Configuration) -> None:
    log_lost_errors(asyncio.get_running_loop())
    server = Server(configuration, shares_port=True, ready=lambda http: _send({"http": http}))
    watching = asyncio.create_task(_end_with_parent())
    try:
        await server.run()
    finally:
        ignore_while_stopping()
    watching.cancel()


async def _end_with_parent() -> None:
    """Exit at once when the pipe closes: the supervisor was killed.

    The worker does not drain, because the server cannot be started again on its port until the last
    worker is gone.
    """
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    try:
        structlog.get_logger().error("supervisor gone; worker exits")
    finally:
        os._exit(1)


def _send(document: dict[str, object]) -> None:
    try:
        sys.stdout.write(f"{json.dumps(document)}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)  # the supervisor is gone


if __name__ == "__main__":
    main()
