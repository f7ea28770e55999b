"""Expiry dates of certificates, compared with openssl."""

from pathlib import Path

import pytest
from tests.server.certificates import authority, end_of, signed

from wordgate.server.security.certificate_expiry import earliest_end


@pytest.mark.parametrize("days", [1, 9_000, 40_000])
def test_expiry_dates_equal_those_of_openssl(tmp_path: Path, days: int) -> None:
    """Both date encodings are read: the one until 2049 and the later one."""
    pair = signed(tmp_path, "pair", authority(tmp_path, "ca"), days)
    assert earliest_end(pair.certificate.read_bytes()) == end_of(pair.certificate)


def test_the_earliest_expiry_date_counts(tmp_path: Path) -> None:
    """The order of the certificates does not matter, and keys in between are ignored."""
    ca = authority(tmp_path, "ca")
    pairs = [signed(tmp_path, str(days), ca, days) for days in (30, 3, 300)]
    parts = [pair.certificate.read_bytes() + b"a remark\n" for pair in pairs]
    parts.insert(1, pairs[0].key.read_bytes())
    assert earliest_end(b"\n".join(parts)) == end_of(pairs[1].certificate)


def test_invalid_certificates_are_rejected(tmp_path: Path) -> None:
    """Empty files, other contents and certificates truncated at any byte are rejected."""
    pair = signed(tmp_path, "pair", authority(tmp_path, "ca"))
    pem = pair.certificate.read_bytes()
    assert pem.count(b"\n") > 6
    lines = pem.splitlines()
    cut = [b"\n".join([*lines[:count], lines[-1]]) for count in range(1, 5)]
    for spoiled in (b"", pair.key.read_bytes(), *cut):
        with pytest.raises(ValueError):
            earliest_end(spoiled)
