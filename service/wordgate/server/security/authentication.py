"""Bearer-token authentication.

Tokens are looked up under a keyed hash with a random secret key, so the time of a lookup reveals
nothing about the valid tokens.
"""

import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from hashlib import blake2b
from hmac import compare_digest

from wordgate.errors import Unauthenticated
from wordgate.server.security.quota import TokenBucket
from wordgate.server.security.tokens import Token, digest_of

_HEADER = "authorization"
_SCHEME = "bearer"
_HOW = "send the header `authorization: Bearer TOKEN`"


class Principal:
    """An authenticated token with its quota usage, until it is revoked."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self.usage = TokenBucket(token.quota)
        self.is_revoked = False

    def check(self) -> None:
        """Raise `Unauthenticated` if the token has been removed from the file."""
        if self.is_revoked:
            raise Unauthenticated("token revoked; request a new one")


class Authenticator:
    """Finds the principal of a call by its bearer token."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._key = secrets.token_bytes()
        self._callers: dict[bytes, Principal] = {}
        self.replace(tokens)

    def replace(self, tokens: Iterable[Token]) -> None:
        """Replace the valid tokens. Tokens that remain keep their usage; others are revoked."""
        before = {caller.token.digest: caller for caller in self._callers.values()}
        callers = {}
        for token in tokens:
            caller = before.pop(token.digest, None) or Principal(token)
            caller.token = token
            caller.usage.set_quota(token.quota)
            callers[self._place(token.digest)] = caller
        self._callers = callers
        for caller in before.values():
            caller.is_revoked = True

    def __len__(self) -> int:
        return len(self._callers)

    def of(self, metadata: Iterable[tuple[str, str | bytes]]) -> Principal:
        """Return the principal of a call with these headers. Raises `Unauthenticated`."""
        presented = [value for key, value in metadata if key == _HEADER]
        if len(presented) != 1:
            problem = "missing bearer token" if not presented else "more than one bearer token"
            raise Unauthenticated(f"{problem}; {_HOW}")
        value = presented[0]
        scheme, _, token = (value if isinstance(value, str) else "").partition(" ")
        if scheme.lower() != _SCHEME:
            raise Unauthenticated(f"not a bearer token; {_HOW}")
        digest = digest_of(token.strip())
        caller = self._callers.get(self._place(digest))
        if caller is None or not compare_digest(caller.token.digest, digest):
            raise Unauthenticated("invalid bearer token")
        return caller

    def _place(self, digest: bytes) -> bytes:
        return blake2b(digest, key=self._key, digest_size=16).digest()


current_principal: ContextVar[Principal | None] = ContextVar("current_principal", default=None)
"""Principal of the call that the running task works for; None without authentication."""
