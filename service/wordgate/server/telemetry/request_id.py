"""A call as the log and its caller name it: by its request id.

Knows ids; does not know what is asked. An id that a caller sends is a text of his, so only a short
one of few kinds of characters is taken: no sentence fits into it.
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
    """One call from its begin to its end: a whole session, too."""

    __slots__ = ("_request_id",)

    def __init__(self, given: str | None = None) -> None:
        self._request_id = given

    @property
    def request_id(self) -> str:
        """The caller's, or one of ours, made when it is wanted: most calls end well without."""
        if self._request_id is None:
            self._request_id = f"{_random_bits(64):016x}"
        return self._request_id


def request_id_of(metadata: Iterable[tuple[str, str | bytes]]) -> RequestId:
    """The call that has these headers."""
    for key, value in metadata:
        if key == REQUEST_ID_HEADER:
            return RequestId(value if isinstance(value, str) and _is_well_formed(value) else None)
    return RequestId()


current_call: ContextVar[RequestId | None] = ContextVar("current_call", default=None)
"""The call for which the running task works."""
