"""Fixtures of the examples' tests: a server that requires TLS and a token."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.running import RunningServer, serving
from tests.server.certificates import Pair, authority, signed

from wordgate.server.security.quota import NO_QUOTA
from wordgate.server.security.tokens import Token, digest_of

SECRET = "a-token"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of certificates and tokens."""
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def ca(folder: Path) -> Pair:
    """The CA of the server's certificate."""
    return authority(folder, "ca")


@pytest.fixture(scope="module")
def guarded(bundle: Path, folder: Path, ca: Pair) -> Iterator[RunningServer]:
    """A server with HTTP that requires TLS and the token `SECRET`."""
    shown, tokens = signed(folder, "shown", ca), folder / "tokens"
    tokens.write_text(Token("example", digest_of(SECRET), NO_QUOTA, None).line)
    tls = ("--tls-certificate", str(shown.certificate), "--tls-key", str(shown.key))
    options = ("--http-listen", "127.0.0.1:0", "--tokens-file", str(tokens), *tls)
    with serving(bundle, *options) as server:
        yield server
