"""Server addresses: parsing and validation."""

import pytest

from wordgate.protocol.address import (
    check_address,
    check_origin,
    check_target,
    grpc_target,
    is_local,
    split_address,
    unix_path,
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:50051", ("127.0.0.1", 50051)),
        ("[::1]:0", ("::1", 0)),
        ("words.example.org:65535", ("words.example.org", 65535)),
    ],
)
def test_split_address(address: str, expected: tuple[str, int]) -> None:
    """Host and port are separated; the brackets of an IPv6 address are removed."""
    assert split_address(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        *("", "localhost", ":50051", "localhost:", "localhost:http", "localhost:65536"),
        *("localhost:-1", "localhost:１", "http://localhost:50051", "local host:1"),
        *("::1:50051", "a@b:1", "[::1]"),
    ],
)
def test_invalid_addresses_are_rejected(address: str) -> None:
    """A missing host or port, an invalid port, a URL and IPv6 without brackets are rejected."""
    with pytest.raises(
        ValueError, match=r"is not HOST:PORT, as in 127\.0\.0\.1:50051, or unix:PATH"
    ):
        check_target(address)


@pytest.mark.parametrize(
    ("address", "path"),
    [("unix:a.sock", "a.sock"), ("unix:/a b", "/a b"), ("unix:///run/a", "/run/a")],
)
def test_unix_socket_paths(address: str, path: str) -> None:
    """The path may be relative, absolute, or absolute in URI form."""
    check_address(address)
    assert unix_path(address) == path


@pytest.mark.parametrize("address", ["unix:", "unix://host/a", "unix:a\0b", "unix:" + 108 * "a"])
def test_invalid_unix_socket_paths_are_rejected(address: str) -> None:
    """An empty path, a URI with a host, a NUL byte and a path of 108 bytes are rejected."""
    with pytest.raises(ValueError, match=r"path|PATH"):
        check_address(address)


def test_grpc_targets_are_valid_for_clients_only() -> None:
    """A client may connect to several replicas; a server listens on one address."""
    check_target("dns:///wordgate:50051")
    with pytest.raises(ValueError, match="HOST:PORT"):
        check_address("dns:///wordgate:50051")


def test_socket_paths_are_escaped_in_grpc_targets() -> None:
    """gRPC parses the path as part of a URI, so reserved and non-ASCII characters are escaped."""
    assert grpc_target("unix:/a b%?#é") == "unix:/a%20b%25%3F%23%C3%A9"
    assert grpc_target("localhost:1") == "localhost:1"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("0.0.0.0:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("LOCALHOST.:1", True),
        ("unix:a", True),
        ("dns:///localhost:1", True),
        ("ipv4:127.0.0.1:1,127.0.0.2:1", True),
        ("ipv4:127.0.0.1:1,10.0.0.1:1", False),
        ("10.0.0.1:1", False),
        ("localhost.example.org:1", False),
        ("dns:///wordgate:1", False),
    ],
)
def test_is_local(address: str, expected: bool) -> None:
    """Loopback addresses, the unspecified address and sockets are on this machine."""
    assert is_local(address) is expected


@pytest.mark.parametrize("origin", ["https://app.example", "http://localhost:3000", "http://[::1]"])
def test_origins_are_accepted_as_browsers_send_them(origin: str) -> None:
    """An origin is a scheme, a host and a port other than the default."""
    check_origin(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://*",
        "app.example",
        "https://app.example/",
        "https://App.example",
        "ftp://a",
        "https://app.example:443",
        "http://a:80",
        "https://user@app.example",
        "https://a b",
        "null",
    ],
)
def test_other_origins_are_rejected(origin: str) -> None:
    """What no browser sends would never match."""
    with pytest.raises(ValueError, match="not an origin"):
        check_origin(origin)
