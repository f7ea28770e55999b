"""What a server is run as: one process, or one that looks after several.

Knows which of the two is asked for, and imports no other: a process that only looks after workers
is there sooner and smaller without what answers.
"""

import asyncio
from typing import TYPE_CHECKING

from wordgate.server.config.options import Configuration
from wordgate.server.event_loop import loop_factory
from wordgate.server.signals import handle_while_starting, ignore_while_stopping
from wordgate.server.telemetry.logging import configure_logs, log_lost_errors

if TYPE_CHECKING:
    from wordgate.server.server import Server
    from wordgate.server.supervisor import Workers


def serve(configuration: Configuration) -> None:
    """Run a server to its end, on uvloop where that is installed.

    Raises as `Server.run` and `Workers.run`.
    """
    handle_while_starting()
    configure_logs(configuration.log_format)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_run(configuration))


async def _run(configuration: Configuration) -> None:
    log_lost_errors(asyncio.get_running_loop())
    try:
        await _server(configuration).run()
    finally:
        ignore_while_stopping()


def _server(configuration: Configuration) -> "Workers | Server":
    if configuration.workers > 1:
        from wordgate.server.supervisor import Workers

        return Workers(configuration)
    from wordgate.server.server import Server

    return Server(configuration)
