"""The exception hierarchy: every error that a user or client can cause.

    WordgateError
    ├── InvalidInput          a field of a request (field, problem)
    ├── InvalidFile           a text or input file (path, line, problem)
    ├── InvalidRecipe         a training recipe (path, key, problem)
    ├── InvalidBundle         a published model that cannot be served (path, reason, problem)
    ├── InvalidConfiguration  an option of the server (option, problem)
    ├── ModelNotFound         a model or version that is not served
    ├── ExportError         a checkpoint that fails the publication checks
    ├── TrainingError       a training run that cannot continue (too little text, loss not finite)
    ├── Unauthenticated       the API token is missing or invalid
    ├── Overloaded            a limit was exceeded; says when to retry
    ├── Cancelled             the request was cancelled
    ├── DeadlineExceeded      the request's deadline has passed
    └── Unavailable           the server is starting or draining

A message says what was wrong, where, and what to do. The server maps this tree to gRPC status codes
in one table; the command line maps it to exit codes in another.
"""

from enum import Enum
from pathlib import Path


class WordgateError(Exception):
    """Base of all errors that are reported without a stack trace."""


class InvalidInput(WordgateError):
    """A field of a request is invalid."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class InvalidFile(WordgateError):
    """An input file is missing, unreadable or malformed."""

    def __init__(self, path: Path | str, problem: str, line: int | None = None) -> None:
        place = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(f"{place}: {problem}")
        self.path = Path(path)
        self.line = line
        self.problem = problem


def unreadable(path: Path | str, error: OSError) -> InvalidFile:
    """Return the error for a file that cannot be opened or read."""
    if isinstance(error, FileNotFoundError):
        return InvalidFile(path, "does not exist")
    if isinstance(error, IsADirectoryError):
        return InvalidFile(path, "is a folder; name a file")
    return InvalidFile(path, f"cannot be read: {error.strerror or error}")


def empty(path: Path | str, wanted: str) -> InvalidFile:
    """Return the error for a file or folder that contains nothing `wanted`, such as no records."""
    return InvalidFile(path, f"is empty: no {wanted} in it")


class InvalidRecipe(WordgateError):
    """A training recipe has an unknown, contradictory or impossible key."""

    def __init__(self, path: Path | str, key: str, problem: str) -> None:
        super().__init__(f"{path}: {key}: {problem}" if key else f"{path}: {problem}")
        self.path = Path(path)
        self.key = key
        self.problem = problem


class InvalidBundle(WordgateError):
    """A model bundle is rejected. `reason` is one of a small fixed set, fit for a metric label."""

    def __init__(self, path: Path | str, reason: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = Path(path)
        self.reason = reason
        self.problem = problem


class InvalidConfiguration(WordgateError):
    """A server option is invalid.

    `place` is where the value was set: the flag, the environment variable, or the file and key.
    If it is empty, the message names the flag.
    """

    def __init__(self, option: str, problem: str, place: str = "") -> None:
        super().__init__(f"{place or flag_of(option)}: {problem}")
        self.option = option
        self.problem = problem
        self.place = place


class ModelNotFound(WordgateError):
    """The server has no model of this name or version."""

    def __init__(self, name: str, served: list[str]) -> None:
        super().__init__(f"no model {name!r} is served; served: {', '.join(served) or 'none'}")
        self.name = name
        self.served = served


class ExportError(WordgateError):
    """The checkpoint fails the publication checks."""


class TrainingError(WordgateError):
    """A training run cannot start or continue."""


class Unauthenticated(WordgateError):
    """The API token is missing or invalid."""


class OverloadReason(Enum):
    """Which limit was exceeded."""

    WAIT = "wait"
    ROWS = "rows"
    CALLS = "calls"
    SESSIONS = "sessions"
    STREAMS = "streams"
    MEMORY = "memory"
    QUOTA = "quota"


class Overloaded(WordgateError):
    """The server is overloaded. `excess` is the limit that was exceeded, if known."""

    def __init__(
        self, problem: str, retry_after_seconds: float, excess: OverloadReason | None = None
    ) -> None:
        super().__init__(problem)
        self.retry_after_seconds = retry_after_seconds
        self.excess = excess


class Cancelled(WordgateError):
    """The request was cancelled."""


class DeadlineExceeded(WordgateError):
    """The request's deadline has passed, or would pass before the answer."""


class Unavailable(WordgateError):
    """The server is starting or draining. Another replica may answer."""


def flag_of(option: str) -> str:
    """Return the command-line flag of an option: `--tls-key` for `tls_key`."""
    return "--" + option.replace("_", "-")


def drop_traceback(error: BaseException) -> None:
    """Drop the tracebacks of an error and of its causes, to break reference cycles.

    A traceback refers to every frame that the error passed through, and so to local variables such
    as the request. If one of those frames refers to the error, the cycle stays in memory until the
    garbage collector scans its oldest generation, which may be hundreds of requests later.
    """
    following: BaseException | None = error
    while following is not None:
        following.__traceback__ = None
        before = following.__cause__ or following.__context__
        following.__cause__ = following.__context__ = None
        following = before
