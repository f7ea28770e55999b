"""Request ids, which identify calls in the log and in error messages.

Client-supplied ids are untrusted: the server accepts at most 64 characters of [A-Za-z0-9._-], so
that they cannot carry user text.
"""

import re
from collections.abc import Iterable
from contextvars import ContextVar
from random import Random

from wordgate.protocol.status import REQUEST_ID_HEADER

MAX_CHARACTERS = 64

_is_well_formed = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_CHARACTERS}}}").fullmatch
_random_bits = Random().getrandbits


class RequestId:
    """The request id of one call; a session is one call."""

    __slots__ = ("_request_id",)

    def __init__(self, given: str | None = None) -> None:
        self._request_id = given

    @property
    def request_id(self) -> str:
        """The client's id, or a generated one. Generated on first use: most calls need none."""
        if self._request_id is None:
            self._request_id = f"{_random_bits(64):016x}"
        return self._request_id


def request_id_of(metadata: Iterable[tuple[str, str | bytes]]) -> RequestId:
    """Return the request id of a call with these headers."""
    for key, value in metadata:
        if key == REQUEST_ID_HEADER:
            return RequestId(value if isinstance(value, str) and _is_well_formed(value) else None)
    return RequestId()


current_call: ContextVar[RequestId | None] = ContextVar("current_call", default=None)
"""Request id of the call that the running task works for."""
