"""Limit the number of calls or streams of a kind that are open at the same time."""

from wordgate.errors import Overloaded, OverloadReason

STREAM_RETRY_SECONDS = 5.0
CALL_RETRY_SECONDS = 1.0


class ConcurrencyLimit:
    """A semaphore that rejects instead of waiting: `with limit:` raises `Overloaded` at `most`.

    `most` may be changed; None means no limit. Not thread-safe: for use in the event loop.
    """

    __slots__ = ("_problem", "_reason", "_retry_seconds", "in_use", "most")

    def __init__(
        self,
        most: int | None,
        problem: str,
        reason: OverloadReason = OverloadReason.STREAMS,
        retry_seconds: float = STREAM_RETRY_SECONDS,
    ) -> None:
        """`problem` is the message of the error; `{most}` and `{retry:g}` are replaced in it."""
        self.most = most
        self.in_use = 0
        self._problem = problem
        self._reason = reason
        self._retry_seconds = retry_seconds

    def __enter__(self) -> None:
        if self.most is not None and self.in_use >= self.most:
            problem = self._problem.format(most=self.most, retry=self._retry_seconds)
            raise Overloaded(problem, self._retry_seconds, self._reason)
        self.in_use += 1

    def __exit__(self, *error: object) -> None:
        self.in_use -= 1
