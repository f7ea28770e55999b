"""Run a server as one process, or as a supervisor with several worker processes.

Only the one in use is imported: without the engine a supervisor starts faster and needs less
memory.
"""

import asyncio
from typing import TYPE_CHECKING

from wordgate.bundle.bundled_model import find_folder
from wordgate.server.config.options import Configuration
from wordgate.server.event_loop import loop_factory
from wordgate.server.signals import handle_while_starting, ignore_while_stopping
from wordgate.server.telemetry.logging import configure_logs, log_lost_errors

if TYPE_CHECKING:
    from wordgate.server.server import Server
    from wordgate.server.supervisor import Workers


def serve(configuration: Configuration) -> None:
    """Run a server until it stops, on uvloop if that is installed.

    Raises the errors of `Server.run` and `Workers.run`.
    """
    handle_while_starting()
    configure_logs(configuration.log_format)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_run(configuration))


async def _run(configuration: Configuration) -> None:
    log_lost_errors(asyncio.get_running_loop())
    try:
        await _server(_with_model_folder(configuration)).run()
    finally:
        ignore_while_stopping()


def _with_model_folder(configuration: Configuration) -> Configuration:
    """Return the configuration with the folder of its model, absolute.

    It is found once: if the folder is removed, no other model of the same name takes its place, not
    in a restarted worker either. Raises `InvalidConfiguration` if there is none.
    """
    if configuration.model is None:
        return configuration
    folder = find_folder(str(configuration.model)).absolute()
    return configuration.model_copy(update={"model": folder})


def _server(configuration: Configuration) -> "Workers | Server":
    if configuration.workers > 1:
        from wordgate.server.supervisor import Workers

        return Workers(configuration)
    from wordgate.server.server import Server

    return Server(configuration)
