"""Certificates and keys in PEM files, checked alike for servers and clients.

gRPC reports a wrong certificate or key when the first connection fails, and without the name of
the file.
"""

import ssl
from pathlib import Path

from wordgate.errors import InvalidFile


def check_key_pair(certificate: Path, key: Path) -> None:
    """Raise `InvalidFile` unless the certificate is one and the key belongs to it.

    A key with a password is refused: there is nobody to ask for it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        problem = f"is not a certificate in PEM, or {key} is not its key without a password"
        raise InvalidFile(certificate, f"{problem} ({tls_problem(error)})") from None


def tls_problem(error: Exception) -> str:
    """What OpenSSL found wrong, in words."""
    reason = getattr(error, "reason", None)
    return str(reason or error).lower().replace("_", " ")
