"""Diagnose failed connections: wrong TLS settings, certificates, proxies.

gRPC reports only the last of a host's addresses that it tried, or "Socket closed" if only one side
uses TLS. The diagnosis connects again with Python's own TLS, which reports the cause.
"""

import os
import socket
import ssl
from time import monotonic
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from wordgate.client.tls import Tls
from wordgate.errors import Unavailable, WordgateError
from wordgate.protocol.address import TARGET_SCHEMES, is_local, split_address, unix_path
from wordgate.protocol.status import NoAnswer

_SECONDS = 1.0
"""Timeout of each connection attempt and of each read."""

_MIN_PAUSE_SECONDS = 5.0
"""Minimum interval between two diagnoses: when a server is down, many requests fail at once."""

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_PREFACE_SETTINGS = 4
"""The type of the first frame that an HTTP/2 peer sends."""

_HEADER_BYTES = 9
_PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")


def explained(error: WordgateError, diagnosis: "Diagnosis") -> WordgateError:
    """Return an error that explains why the server did not answer, or the error itself."""
    if not isinstance(error, NoAnswer):
        return error
    problem = diagnosis.find()
    return Unavailable(f"{diagnosis.address}: {problem}") if problem else error


class Diagnosis:
    """Finds out why a client cannot connect to its address. Run after a request has failed."""

    def __init__(self, address: str, tls: Tls | None, *, asks_proxy: bool = True) -> None:
        """Create a diagnosis. `asks_proxy`: the client uses proxies from the environment."""
        self._asks_proxy = asks_proxy
        self.address = address
        self._tls = tls
        self._looked_at = float("-inf")
        self._found: str | None = None

    def find(self) -> str | None:
        """Return the problem as *condition; remedy*, or None if it is neither TLS nor a proxy.

        Takes a few seconds at most. A result that is less than 5 s old is returned at once.
        """
        through = _proxy(self.address) if self._asks_proxy else None
        if through is not None:
            return through
        if monotonic() - self._looked_at > _MIN_PAUSE_SECONDS:
            try:
                self._found = self._look()
            except (OSError, ValueError):
                self._found = None
            self._looked_at = monotonic()
        return self._found

    def _look(self) -> str | None:
        if self._tls is None:
            is_tls = not _speaks_plain_text(self.address) and _speaks_tls(self.address)
            return "the server uses TLS; connect with TLS (`--tls-ca`, `--tls`)" if is_tls else None
        files = filter(None, (self._tls.ca, self._tls.certificate, self._tls.key))
        if not all(path.is_file() for path in files):
            return None  # a pipe, which can be read only once
        return self._look_at_certificates(self._tls)

    def _look_at_certificates(self, tls: Tls) -> str | None:
        try:
            # A wrong CA matters more than a wrong host name, so check it first.
            _shake_hands(self.address, tls, is_named=False).close()
            with _shake_hands(self.address, tls) as secure:
                secure.sendall(_PREFACE)
                is_heard = bool(secure.recv(_HEADER_BYTES))
        except ssl.SSLCertVerificationError as error:
            return _untrusted(error, tls, _server_name(self.address, tls))
        except ssl.SSLError as error:
            if _speaks_plain_text(self.address):
                return "the server does not use TLS; connect without it (no `--tls…` option)"
            return _refused(tls, str(error.reason or error).lower().replace("_", " "))
        except ConnectionResetError:
            is_heard = False
        return None if is_heard else _refused(tls, "it closed the connection")


def _proxy(address: str) -> str | None:
    """Return the problem if gRPC connects through a proxy from the environment, else None."""
    if is_local(address) or address.startswith(TARGET_SCHEMES):
        return None
    variable = next((each for each in _PROXY_VARIABLES if os.environ.get(each)), None)
    host = split_address(address)[0]
    if variable is None or proxy_bypass_environment(host):
        return None
    return f"no answer through the proxy in {variable}; set no_proxy={host} to connect directly"


def _untrusted(error: ssl.SSLCertVerificationError, tls: Tls, name: str) -> str:
    """Return why a certificate was rejected, by OpenSSL's verification error code."""
    reason = error.verify_message
    match error.verify_code:
        case 9:
            return "the server's certificate is not yet valid; check the clocks"
        case 10:
            return "the server's certificate has expired; renew it"
        case 62 | 64:
            return (
                f"the server's certificate is not for {name} ({reason.rstrip('.')}); use a name "
                "from the certificate in the address or as `Tls.server_name`"
            )
    trusted = f"the CA in {tls.ca}" if tls.ca else "the public CAs"
    return (
        f"the server's certificate is not signed by {trusted} ({reason}); pass the CA that signed "
        "it (`--tls-ca`)"
    )


def _refused(tls: Tls, reason: str) -> str:
    if tls.certificate is None:
        return (
            f"the server ended the TLS handshake ({reason}); it may require a client certificate "
            "(`--tls-certificate`, `--tls-key`)"
        )
    return (
        f"the server ended the TLS handshake ({reason}); it may have rejected the client "
        f"certificate {tls.certificate}"
    )


def _connected(address: str) -> socket.socket:
    path = unix_path(address)
    if path is None:
        return socket.create_connection(split_address(address), timeout=_SECONDS)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_SECONDS)
    connection.connect(path)
    return connection


def _shake_hands(address: str, tls: Tls | None, *, is_named: bool = True) -> ssl.SSLSocket:
    """Connect with the client's TLS settings; without `tls`, accept any certificate.

    `is_named`: check the host name in the certificate.
    """
    context = ssl.create_default_context(cafile=tls.ca if tls else None)
    context.set_alpn_protocols(["h2"])
    context.check_hostname = is_named and tls is not None
    if tls is None:
        context.verify_mode = ssl.CERT_NONE
    elif tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: b"")
    with _connected(address) as plain:
        return context.wrap_socket(plain, server_hostname=_server_name(address, tls))


def _server_name(address: str, tls: Tls | None) -> str:
    if tls is not None and tls.server_name is not None:
        return tls.server_name
    return "localhost" if unix_path(address) is not None else split_address(address)[0]


def _speaks_tls(address: str) -> bool:
    """Return whether a TLS handshake succeeds with certificate checks disabled."""
    try:
        _shake_hands(address, None).close()
    except OSError:
        return False
    return True


def _speaks_plain_text(address: str) -> bool:
    """Return whether the server answers HTTP/2 without TLS."""
    with _connected(address) as plain:
        try:
            plain.sendall(_PREFACE)
            answer = plain.recv(_HEADER_BYTES)
        except OSError:
            return False
    return len(answer) > 3 and answer[3] == _PREFACE_SETTINGS
