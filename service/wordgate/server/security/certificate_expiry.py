"""When the certificates of a PEM file end.

Knows as much of DER (X.690) and of certificates (RFC 5280, 4.1) as leads to that date; that they
are certificates at all is for others to check. Python itself reads the date for peers' ones alone.
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
"""Two digits of a year from here on are of the twentieth century."""


def earliest_end(pem: bytes) -> float:
    """Seconds since 1970 of the first end of any. Raises `ValueError` where there is none."""
    return min(_end_of(_der(found)) for found in _CERTIFICATE.findall(pem))


def _der(base64: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(_PEM.format(base64.decode("ascii").strip()))


def _end_of(certificate: bytes) -> float:
    """Certificate > TBSCertificate > version?, serial, algorithm, issuer, validity > from, to."""
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
        raise ValueError("no date where a certificate's end should be")
    return datetime.strptime(written, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _read(data: bytes) -> tuple[int, bytes, bytes]:
    """The first element of some DER, its kind and content, and what follows it."""
    if len(data) < 2:
        raise ValueError("a certificate that is cut off")
    kind, length, start = data[0], data[1], 2
    if length >= 0x80:  # the length has so many bytes of its own
        start += length - 0x80
        length = int.from_bytes(data[2:start])
    if len(data) < start + length:
        raise ValueError("a certificate that is cut off")
    return kind, data[start : start + length], data[start + length :]
