"""When certificates end, beside what openssl says."""

from pathlib import Path

import pytest
from tests.server.certificates import authority, end_of, signed

from wordgate.server.security.certificate_expiry import earliest_end


@pytest.mark.parametrize("days", [1, 9_000, 40_000])
def test_an_end_is_what_openssl_says(tmp_path: Path, days: int) -> None:
    """In both ways of writing dates: that of years before 2050, and that of later ones."""
    pair = signed(tmp_path, "pair", authority(tmp_path, "ca"), days)
    assert earliest_end(pair.certificate.read_bytes()) == end_of(pair.certificate)


def test_of_several_the_first_end_counts(tmp_path: Path) -> None:
    """Wherever in the file it stands, and whatever stands between; keys are passed over."""
    ca = authority(tmp_path, "ca")
    pairs = [signed(tmp_path, str(days), ca, days) for days in (30, 3, 300)]
    parts = [pair.certificate.read_bytes() + b"a remark\n" for pair in pairs]
    parts.insert(1, pairs[0].key.read_bytes())
    assert earliest_end(b"\n".join(parts)) == end_of(pairs[1].certificate)


def test_what_is_no_certificate_has_no_end(tmp_path: Path) -> None:
    """Nothing, something else, and one that is cut off anywhere are refused."""
    pair = signed(tmp_path, "pair", authority(tmp_path, "ca"))
    pem = pair.certificate.read_bytes()
    assert pem.count(b"\n") > 6
    lines = pem.splitlines()
    cut = [b"\n".join([*lines[:count], lines[-1]]) for count in range(1, 5)]
    for spoiled in (b"", pair.key.read_bytes(), *cut):
        with pytest.raises(ValueError):
            earliest_end(spoiled)
