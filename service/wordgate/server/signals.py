"""Signals before and after the event loop handles them.

Imported before anything that takes time, so it imports nothing that does.
"""

import os
import signal
from types import FrameType

_ENDS = (signal.SIGTERM, signal.SIGINT)
_HANDLED = (signal.SIGHUP, *_ENDS)


def handle_while_starting() -> None:
    """Ignore SIGHUP; exit with code 0 on SIGTERM and SIGINT, since there is nothing to drain.

    By default each of them ends the process: with a signal's exit code, SIGINT with a stack trace.
    A SIGHUP this early needs no answer: the models are looked for after it.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in _ENDS:
        signal.signal(number, _exit)
    accept_blocked()


def accept_blocked() -> None:
    """Deliver the signals that were blocked until now.

    The image starts Python with all three blocked, so that they wait for the first line of ours.
    The first process of a container would otherwise lose those that come before it.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)


def ignore_while_stopping() -> None:
    """Ignore all three from now on: a loop that closes resets what it handled to the default."""
    import asyncio

    loop = asyncio.get_running_loop()
    for number in _HANDLED:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)


def _exit(number: int, frame: FrameType | None) -> None:
    os._exit(0)
