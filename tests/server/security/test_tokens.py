"""The file of token hashes."""

from pathlib import Path

import pytest

from wordgate.errors import InvalidFile
from wordgate.server.security.quota import Quota
from wordgate.server.security.tokens import Token, digest_of, new_token, read_tokens

HASH = "sha256:" + "0a" * 32


def test_a_file_has_one_token_per_line(tmp_path: Path) -> None:
    """Comments and empty lines are ignored, and each token is written back as it was read."""
    tokens = [
        Token("phone", digest_of("a")),
        Token("ocr.2-x", digest_of("b"), Quota(2500.5, 20), b"ocr"),
        Token("nobody", digest_of("c"), Quota(streams=0)),
    ]
    lines = [token.line for token in tokens]
    path = tmp_path / "tokens"
    path.write_text("# who may ask\n\n" + "\n".join(lines) + "\n")
    assert read_tokens(path) == tokens
    assert lines[1].endswith("rows_per_second=2500.5 streams=20 cache_namespace=ocr")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("phone", "hash"),
        ("phone sha256:00", "hash"),
        (f"ph\u00f6ne {HASH}", "name"),
        (f"{'x' * 65} {HASH}", "name"),
        (f"phone {HASH} colour=red", "options"),
        (f"phone {HASH} streams=1 streams=2", "options"),
        (f"phone {HASH} streams=-1", "streams"),
        (f"phone {HASH} rows_per_second=0", "rows_per_second"),
        (f"phone {HASH} rows_per_second=nan", "rows_per_second"),
        (f"phone {HASH} cache_namespace=", "cache_namespace"),
        (f"ocr {HASH.replace('0a', '0b')}", "name: is the same as on line 2"),
        (f"phone {HASH.replace('0a', '0c')}", "token: is the same as on line 2"),
    ],
)
def test_an_invalid_line_is_named(tmp_path: Path, line: str, problem: str) -> None:
    """One invalid line rejects the whole file.

    The error names the line and does not repeat its hash.
    """
    path = tmp_path / "tokens"
    path.write_text(f"# one\nocr {HASH.replace('0a', '0c')}\n{line}\n", "utf-8")
    with pytest.raises(InvalidFile, match=problem) as caught:
        read_tokens(path)
    assert caught.value.line == 3
    assert "0c0c" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file and a file that is not UTF-8 are rejected."""
    with pytest.raises(InvalidFile, match="nowhere"):
        read_tokens(tmp_path / "nowhere")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidFile, match="UTF-8"):
        read_tokens(binary)


def test_new_tokens_are_unique() -> None:
    """Tokens are random, recognisable and valid in a header."""
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(token.isascii() and token.startswith("wordgate_") for token in made)
