"""Every error a person can cause, in one tree.

    WordgateError
    ├── InvalidInput          a field of a request (field, problem)
    ├── InvalidFile           a text or input file (path, line, problem)
    ├── InvalidRecipe         a training recipe (path, key, problem)
    ├── InvalidBundle         a published model that must not be served (path, reason, problem)
    ├── InvalidConfiguration  an option of the server (option, problem)
    ├── ModelNotFound         a model or version that is not served
    ├── ExportError         figures that forbid to publish a checkpoint
    ├── TrainingError       a run that cannot go on (text too small, loss not finite)
    ├── Unauthenticated       no token, or one that is not valid
    ├── Overloaded            the queue is full; says when to come again
    ├── Cancelled             nobody waits for the answer any more
    ├── DeadlineExceeded      the answer would come too late
    └── Unavailable           the server is starting or draining

A message says what was wrong, where, and what to do. The server maps this tree to status codes
in one table, the command line to exit codes in another.
"""

from enum import Enum
from pathlib import Path


class WordgateError(Exception):
    """Base of all errors that are reported without a stack trace."""


class InvalidInput(WordgateError):
    """A field of a request cannot be used."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class InvalidFile(WordgateError):
    """A file that a user named cannot be read as what it should be."""

    def __init__(self, path: Path | str, problem: str, line: int | None = None) -> None:
        place = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(f"{place}: {problem}")
        self.path = Path(path)
        self.line = line
        self.problem = problem


def unreadable(path: Path | str, error: OSError) -> InvalidFile:
    """Return the error for a file that the system does not let be read."""
    if isinstance(error, FileNotFoundError):
        return InvalidFile(path, "does not exist")
    if isinstance(error, IsADirectoryError):
        return InvalidFile(path, "is a folder; name a file")
    return InvalidFile(path, f"cannot be read: {error.strerror or error}")


def empty(path: Path | str, wanted: str) -> InvalidFile:
    """Return the error for a file or folder without anything of what is `wanted` there."""
    return InvalidFile(path, f"is empty: no {wanted} in it")


class InvalidRecipe(WordgateError):
    """A training recipe has an unknown, contradictory or impossible key."""

    def __init__(self, path: Path | str, key: str, problem: str) -> None:
        super().__init__(f"{path}: {key}: {problem}" if key else f"{path}: {problem}")
        self.path = Path(path)
        self.key = key
        self.problem = problem


class InvalidBundle(WordgateError):
    """A model bundle is refused. `reason` is one of a fixed few words, fit for a metric label."""

    def __init__(self, path: Path | str, reason: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = Path(path)
        self.reason = reason
        self.problem = problem


class InvalidConfiguration(WordgateError):
    """An option of the server cannot be used.

    `place` is where its value stands: the flag, the variable, or file and key. Without it the
    message names the flag.
    """

    def __init__(self, option: str, problem: str, place: str = "") -> None:
        super().__init__(f"{place or flag_of(option)}: {problem}")
        self.option = option
        self.problem = problem
        self.place = place


class ModelNotFound(WordgateError):
    """No model of this name or version is served."""

    def __init__(self, name: str, served: list[str]) -> None:
        super().__init__(f"no model {name!r} is served; served: {', '.join(served) or 'none'}")
        self.name = name
        self.served = served


class ExportError(WordgateError):
    """A checkpoint's figures forbid to publish it."""


class TrainingError(WordgateError):
    """A training cannot begin or go on."""


class Unauthenticated(WordgateError):
    """The server wants a token, and there is none or one that it does not know."""


class OverloadReason(Enum):
    """What there is too much of."""

    WAIT = "wait"
    ROWS = "rows"
    CALLS = "calls"
    SESSIONS = "sessions"
    STREAMS = "streams"
    MEMORY = "memory"
    QUOTA = "quota"


class Overloaded(WordgateError):
    """There is too much to do; `excess` of what, where that is known."""

    def __init__(
        self, problem: str, retry_after_seconds: float, excess: OverloadReason | None = None
    ) -> None:
        super().__init__(problem)
        self.retry_after_seconds = retry_after_seconds
        self.excess = excess


class Cancelled(WordgateError):
    """Nobody waits for the answer any more."""


class DeadlineExceeded(WordgateError):
    """The answer would have come after its deadline."""


class Unavailable(WordgateError):
    """The server is starting or draining; another replica may answer."""


def flag_of(option: str) -> str:
    """Return the flag of an option: `--tls-key` of `tls_key`."""
    return "--" + option.replace("_", "-")


def drop_traceback(error: BaseException) -> None:
    """Drop the traceback of an error and of all errors that it followed from.

    A traceback holds every frame that the error passed, with its local variables: the request among
    them. Where an error can be reached from one of those frames, the two keep each other in memory
    until the garbage collector looks at old objects, which may be hundreds of requests later.
    """
    following: BaseException | None = error
    while following is not None:
        following.__traceback__ = None
        before = following.__cause__ or following.__context__
        following.__cause__ = following.__context__ = None
        following = before
