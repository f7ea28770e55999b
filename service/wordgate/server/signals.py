"""Signal handling before and after the event loop handles signals.

Imported before everything that is slow to import, so it must stay fast to import itself.
"""

import os
import signal
from types import FrameType

_ENDS = (signal.SIGTERM, signal.SIGINT)
_HANDLED = (signal.SIGHUP, *_ENDS)


def handle_while_starting() -> None:
    """Ignore SIGHUP; exit with code 0 on SIGTERM and SIGINT, since there is nothing to drain.

    By default each of these signals kills the process with a signal's exit code, and SIGINT prints
    a stack trace. A SIGHUP this early can be ignored: the models have not been loaded yet.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in _ENDS:
        signal.signal(number, _exit)
    accept_blocked()


def accept_blocked() -> None:
    """Unblock the signals and deliver the pending ones.

    The container image starts Python with all three signals blocked, so that they stay pending
    until their handlers are set. Process 1 of a container would otherwise lose earlier signals.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)


def ignore_while_stopping() -> None:
    """Ignore all three signals: an event loop resets its signals to the default on closing."""
    import asyncio

    loop = asyncio.get_running_loop()
    for number in _HANDLED:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)


def _exit(number: int, frame: FrameType | None) -> None:
    os._exit(0)
