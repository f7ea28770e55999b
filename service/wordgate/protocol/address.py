"""Parse and check server addresses.

An address is HOST:PORT, unix:PATH for a Unix domain socket, or, for clients, a gRPC target that may
name several servers (dns:///wordgate:50051). Nothing is resolved or opened here.
"""

from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

_UNIX = "unix:"
TARGET_SCHEMES = ("dns:", "ipv4:", "ipv6:", "xds:", "vsock:", "unix-abstract:", "google-c2p:")
"""URI schemes of gRPC targets. gRPC itself checks the rest of such a target."""

_MAX_PATH_BYTES = 107
"""Longest path of a Unix domain socket on Linux, without the final NUL."""

_EXAMPLE = "127.0.0.1:50051"


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT` or `[IPV6]:PORT`. Raises `ValueError` otherwise."""
    host, colon, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    is_number = port.isascii() and port.isdecimal()
    is_host = bare.isprintable() and not set(bare) & set(" /@[]")
    is_bracketed = host == f"[{bare}]" or ":" not in host
    if not (colon and bare and is_host and is_bracketed and is_number and int(port) <= 65535):
        raise ValueError(f"is not HOST:PORT, as in {_EXAMPLE}, or unix:PATH")
    return bare, int(port)


def unix_path(address: str) -> str | None:
    """Return the path of `unix:PATH` or `unix:///PATH`, or None for any other address.

    Raises `ValueError` for a path that is not valid for a socket.
    """
    if not address.startswith(_UNIX):
        return None
    path = address.removeprefix(_UNIX)
    if path.startswith("//"):
        if not path.startswith("///"):
            raise ValueError("contains a host; use unix:PATH or unix:///PATH")
        path = path[2:]
    if not path or "\0" in path:
        raise ValueError("has no path; use unix:PATH, for example unix:/run/wordgate.sock")
    if len(path.encode("utf-8", "surrogateescape")) > _MAX_PATH_BYTES:
        raise ValueError(f"has a path longer than {_MAX_PATH_BYTES} bytes; use a shorter path")
    return path


def check_address(address: str) -> None:
    """Raise `ValueError` unless the address is HOST:PORT or unix:PATH."""
    if unix_path(address) is None:
        split_address(address)


def check_origin(origin: str) -> None:
    """Raise `ValueError` unless it is the origin of a web page as browsers send it."""
    try:
        parts = urlsplit(origin)
        is_origin = parts.scheme in {"http", "https"} and bool(parts.hostname)
        normal = f"{parts.scheme}://{parts.netloc}".lower()
        default = {"http": 80, "https": 443}.get(parts.scheme)
        is_origin = is_origin and origin == normal and parts.port != default
    except ValueError:
        is_origin = False
    if not is_origin or set(origin) & set("@* "):
        problem = f"contains {origin!r}, which is not an origin, as in https://app.example"
        raise ValueError(f"{problem} (lower case, without path and default port)")


def check_target(address: str) -> None:
    """Raise `ValueError` unless a client can connect to the address, by its form."""
    if not address.startswith(TARGET_SCHEMES):
        check_address(address)


def grpc_target(address: str) -> str:
    """Return the address as a gRPC target, with the path of a socket URI-escaped."""
    path = unix_path(address)
    if path is None:
        return address
    return _UNIX + quote(path.encode("utf-8", "surrogateescape"))


def is_local(address: str) -> bool:
    """Return whether the address is on this machine (loopback or socket), so no proxy applies."""
    if address.startswith((_UNIX, "unix-abstract:", "vsock:")):
        return True
    scheme = next((each for each in TARGET_SCHEMES if address.startswith(each)), "")
    endpoint = address.removeprefix(scheme).rpartition("/")[2]
    endpoints = endpoint.split(",") if scheme in {"ipv4:", "ipv6:"} else [endpoint]
    return all(map(_is_local_host, endpoints))


def _is_local_host(endpoint: str) -> bool:
    host = endpoint
    with suppress(ValueError):
        host, _ = split_address(endpoint)
    try:
        ip = ip_address(host)
    except ValueError:
        return host.rstrip(".").lower() == "localhost"
    return ip.is_loopback or ip.is_unspecified
