"""Read the expiry dates of the certificates in a PEM file.

Parses only as much of DER (X.690) and of certificates (RFC 5280, 4.1) as is needed for the date,
and does not otherwise validate the certificates. Python's `ssl` reads the date for peer
certificates only.
"""

import re
import ssl
from datetime import UTC, datetime

_CERTIFICATE = re.compile(
    rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.+?)-----END", re.DOTALL
)
_PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----"
_VERSION = 0xA0
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_CENTURY_TURNS_AT = 50
"""Two-digit years from this one on are in the 20th century (RFC 5280, 4.1.2.5.1)."""


def earliest_end(pem: bytes) -> float:
    """Return the earliest expiry date in Unix time. Raises `ValueError` if there is none."""
    return min(_end_of(_der(encoded)) for encoded in _CERTIFICATE.findall(pem))


def _der(base64: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(_PEM.format(base64.decode("ascii").strip()))


def _end_of(certificate: bytes) -> float:
    """Return the expiry date of a DER certificate in Unix time.

    Certificate > TBSCertificate > version?, serial, algorithm, issuer, validity > from, to.
    """
    _, outer, _ = _read(certificate)
    _, fields, _ = _read(outer)
    if fields[:1] == bytes([_VERSION]):
        *_, fields = _read(fields)
    for _ in ("serial number", "algorithm", "issuer"):
        *_, fields = _read(fields)
    _, validity, _ = _read(fields)
    *_, rest = _read(validity)
    kind, written, _ = _read(rest)
    return _seconds(kind, written.decode("ascii"))


def _seconds(kind: int, written: str) -> float:
    if kind == _UTC_TIME:
        written = ("19" if int(written[:2]) >= _CENTURY_TURNS_AT else "20") + written
    elif kind != _GENERALIZED_TIME:
        raise ValueError("the expiry date of a certificate is malformed")
    return datetime.strptime(written, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _read(data: bytes) -> tuple[int, bytes, bytes]:
    """Return the tag and content of the first DER element, and the bytes after it."""
    if len(data) < 2:
        raise ValueError("a certificate is truncated")
    kind, length, start = data[0], data[1], 2
    if length >= 0x80:  # long form: this is the number of length bytes
        start += length - 0x80
        length = int.from_bytes(data[2:start])
    if len(data) < start + length:
        raise ValueError("a certificate is truncated")
    return kind, data[start : start + length], data[start + length :]
