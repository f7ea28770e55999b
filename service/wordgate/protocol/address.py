"""Addresses of servers, as servers and clients are told them.

HOST:PORT, unix:PATH for a socket file of this machine, or a target of gRPC that names more than one
server, as in dns:///wordgate:50051. Knows text only: nothing is resolved or opened here.
"""

from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import quote

_UNIX = "unix:"
TARGET_SCHEMES = ("dns:", "ipv4:", "ipv6:", "xds:", "vsock:", "unix-abstract:", "google-c2p:")
"""Targets that gRPC itself understands; their text is its own to check."""

_MAX_PATH_BYTES = 107
"""Of a socket file; the system's bound."""

_EXAMPLE = "127.0.0.1:50051"


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT` or `[IPV6]:PORT`. Raises `ValueError`."""
    host, colon, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    is_number = port.isascii() and port.isdecimal()
    is_host = bare.isprintable() and not set(bare) & set(" /@[]")
    is_bracketed = host == f"[{bare}]" or ":" not in host
    if not (colon and bare and is_host and is_bracketed and is_number and int(port) <= 65535):
        raise ValueError(f"is not HOST:PORT, as in {_EXAMPLE}, or unix:PATH")
    return bare, int(port)


def unix_path(address: str) -> str | None:
    """Return the path of `unix:PATH` or `unix:///PATH`, None for any other address.

    Raises `ValueError` for a path that cannot be one of a socket.
    """
    if not address.startswith(_UNIX):
        return None
    path = address.removeprefix(_UNIX)
    if path.startswith("//"):
        if not path.startswith("///"):
            raise ValueError("has a host; write unix:PATH or unix:///PATH")
        path = path[2:]
    if not path or "\0" in path:
        raise ValueError("has no path; write unix:PATH, as in unix:/run/wordgate.sock")
    if len(path.encode("utf-8", "surrogateescape")) > _MAX_PATH_BYTES:
        raise ValueError(f"has a path of more than {_MAX_PATH_BYTES} bytes; choose a shorter one")
    return path


def check_address(address: str) -> None:
    """Raise `ValueError` unless this is HOST:PORT or unix:PATH."""
    if unix_path(address) is None:
        split_address(address)


def check_target(address: str) -> None:
    """Raise `ValueError` unless a client can be told this address."""
    if not address.startswith(TARGET_SCHEMES):
        check_address(address)


def grpc_target(address: str) -> str:
    """Return how gRPC writes the address: it reads a path as a part of a URI."""
    path = unix_path(address)
    if path is None:
        return address
    return _UNIX + quote(path.encode("utf-8", "surrogateescape"))


def is_local(address: str) -> bool:
    """Return whether the address names this machine itself, where no proxy leads."""
    if address.startswith((_UNIX, "unix-abstract:", "vsock:")):
        return True
    scheme = next((each for each in TARGET_SCHEMES if address.startswith(each)), "")
    named = address.removeprefix(scheme).rpartition("/")[2]
    places = named.split(",") if scheme in {"ipv4:", "ipv6:"} else [named]
    return all(map(_is_own_host, places))


def _is_own_host(place: str) -> bool:
    host = place
    with suppress(ValueError):
        host, _ = split_address(place)
    try:
        found = ip_address(host)
    except ValueError:
        return host.rstrip(".").lower() == "localhost"
    return found.is_loopback or found.is_unspecified
