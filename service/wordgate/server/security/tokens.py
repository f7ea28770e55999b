"""Generate API tokens, and read the file of token hashes.

The file contains hashes only, so its content does not grant access to the server.

    # NAME  HASH                    OPTIONS
    phone   sha256:6c1b…a94e
    ocr     sha256:09d2…77f0  rows_per_second=2000 streams=20 cache_namespace=ocr-2026

A token has 256 random bits, so one round of SHA-256 is enough: it cannot be brute-forced.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from wordgate.errors import InvalidFile, InvalidInput
from wordgate.server.security.quota import NO_QUOTA, Quota
from wordgate.text.input_files import read_input

TOKEN_PREFIX = "wordgate_"
"""Lets secret scanners recognise a leaked token."""

_TOKEN_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_SALT = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True)
class Token:
    """A token as known to the server: its name, SHA-256 digest and options, not the token itself.

    Tokens share cached states only with tokens of the same `cache_namespace`.
    """

    name: str
    digest: bytes
    quota: Quota = NO_QUOTA
    cache_namespace: bytes | None = None

    @property
    def line(self) -> str:
        """Line for the token file."""
        quota = self.quota
        rate = quota.rows_per_second
        rows = None if rate is None else f"{rate:.3f}".rstrip("0").rstrip(".")
        namespace = self.cache_namespace.decode() if self.cache_namespace else None
        options = {"rows_per_second": rows, "streams": quota.streams, "cache_namespace": namespace}
        written = [f"{key}={value}" for key, value in options.items() if value is not None]
        return " ".join([self.name, f"sha256:{self.digest.hex()}", *written])


def new_token() -> str:
    """Return a new random token."""
    return TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)


def digest_of(token: str) -> bytes:
    """Return the SHA-256 digest of a token."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def check_name(name: str) -> str:
    """Return the name. Raises `InvalidInput` if it is not a valid token name."""
    if not _NAME.fullmatch(name):
        raise InvalidInput("name", f"is {name!r}; use 1 to 64 letters, digits, '.', '_' and '-'")
    return name


def read_tokens(path: Path) -> list[Token]:
    """Return the tokens of a file. Raises `InvalidFile` with the line number."""
    try:
        text = read_input(path).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidFile(path, "is not UTF-8") from None
    return list(_tokens(path, text))


def _tokens(path: Path, text: str) -> Iterator[Token]:
    seen: dict[str | bytes, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            token = _token(line.split())
        except InvalidInput as error:
            raise InvalidFile(path, str(error), number) from None
        for key in (token.name, token.digest):
            if key in seen:
                what = "name" if key == token.name else "token"
                raise InvalidFile(path, f"{what}: is the same as on line {seen[key]}", number)
            seen[key] = number
        yield token


def _token(words: list[str]) -> Token:
    name = check_name(words[0])
    match = _HASH.fullmatch(words[1]) if len(words) > 1 else None
    if match is None:
        problem = "is not sha256: with 64 hex digits; create the line with `wordgate token`"
        raise InvalidInput("hash", problem)
    options: dict[str, Any] = {}
    for word in words[2:]:
        key, _, value = word.partition("=")
        if key not in _OPTIONS or key in options:
            known = ", ".join(_OPTIONS)
            raise InvalidInput("options", f"{key!r} is unknown or repeated; known: {known}")
        options[key] = _OPTIONS[key](value)
    namespace = options.pop("cache_namespace", None)
    return Token(name, bytes.fromhex(match[1]), Quota(**options), namespace)


def _rows_per_second(value: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,3})?", value) or not float(value):
        raise InvalidInput("rows_per_second", f"is {value!r}; must be a number above 0")
    return float(value)


def _streams(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise InvalidInput("streams", f"is {value!r}; must be a whole number")
    return int(value)


def _salt(value: str) -> bytes:
    if not _SALT.fullmatch(value):
        raise InvalidInput("cache_namespace", "must be 1 to 64 printable ASCII characters")
    return value.encode()


_OPTIONS: dict[str, Callable[[str], Any]] = {
    "rows_per_second": _rows_per_second,
    "streams": _streams,
    "cache_namespace": _salt,
}
