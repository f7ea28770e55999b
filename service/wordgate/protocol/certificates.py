"""Check TLS certificates and private keys (PEM) before servers and clients use them.

gRPC reports an invalid certificate or key only when the first connection fails, and without the
name of the file.
"""

import ssl
from pathlib import Path

from wordgate.errors import InvalidFile


def check_key_pair(certificate: Path, key: Path) -> None:
    """Raise `InvalidFile` unless the certificate is valid PEM and the key is its private key.

    Encrypted keys are rejected: a server cannot prompt for a passphrase.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        problem = f"is not a PEM certificate, or {key} is not its unencrypted private key"
        raise InvalidFile(certificate, f"{problem} ({tls_problem(error)})") from None


def tls_problem(error: Exception) -> str:
    """Return OpenSSL's reason for an error, in lower case."""
    reason = getattr(error, "reason", None)
    return str(reason or error).lower().replace("_", " ")
