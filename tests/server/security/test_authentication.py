"""Authentication of calls by their headers."""

import pytest

from wordgate.errors import Unauthenticated
from wordgate.server.security.authentication import Authenticator
from wordgate.server.security.quota import Quota
from wordgate.server.security.tokens import Token, digest_of

PHONE = Token("phone", digest_of("p"))
OCR = Token("ocr", digest_of("o"))


def test_a_token_has_a_name() -> None:
    """The scheme is case-insensitive."""
    callers = Authenticator([PHONE, OCR])
    assert callers.of([("authorization", "Bearer p")]).token is PHONE
    assert callers.of([("user-agent", "x"), ("authorization", "bearer o")]).token is OCR


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "Bearer x")],
        [("authorization", "Bearer ")],
        [("authorization", "")],
        [("authorization", "p")],
        [("authorization", "Basic p")],
        [("authorization", f"Bearer {digest_of('p').hex()}")],
        [("authorization", "Bearer p"), ("authorization", "Bearer p")],
        [("authorization-bin", b"Bearer p")],
        [("authorization", b"\xff")],
        [("authorization", "Bearer \udcff")],
    ],
)
def test_invalid_credentials_are_rejected(headers: list[tuple[str, str | bytes]]) -> None:
    """A missing token, another token and the hash in the file are rejected."""
    with pytest.raises(Unauthenticated) as caught:
        Authenticator([PHONE]).of(headers)
    assert "phone" not in str(caught.value)


def test_new_tokens_replace_old_ones() -> None:
    """Remaining tokens keep their usage, and removed tokens are revoked with an error."""
    callers = Authenticator([PHONE, OCR])
    phone, ocr = (callers.of([("authorization", f"Bearer {token}")]) for token in "po")
    with phone.usage.streams:
        callers.replace([Token("mobile", PHONE.digest, Quota(streams=1), b"namespace")])
        assert len(callers) == 1
        assert callers.of([("authorization", "Bearer p")]) is phone
        assert phone.token.name == "mobile"
        phone.check()
        with pytest.raises(Exception, match="quota"), phone.usage.streams:
            pass
    with pytest.raises(Unauthenticated):
        ocr.check()
    with pytest.raises(Unauthenticated):
        callers.of([("authorization", "Bearer o")])
