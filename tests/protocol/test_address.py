"""Addresses of servers."""

import pytest

from wordgate.protocol.address import (
    check_address,
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
def test_host_and_port_are_told_apart(address: str, expected: tuple[str, int]) -> None:
    """An IPv6 address stands in brackets, which are not part of it."""
    assert split_address(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        *("", "localhost", ":50051", "localhost:", "localhost:http", "localhost:65536"),
        *("localhost:-1", "localhost:１", "http://localhost:50051", "local host:1"),
        *("::1:50051", "a@b:1", "[::1]"),
    ],
)
def test_all_else_is_refused(address: str) -> None:
    """Without a port, with a path, with a port that cannot be one."""
    with pytest.raises(
        ValueError, match=r"is not HOST:PORT, as in 127\.0\.0\.1:50051, or unix:PATH"
    ):
        check_target(address)


@pytest.mark.parametrize(
    ("address", "path"),
    [("unix:a.sock", "a.sock"), ("unix:/a b", "/a b"), ("unix:///run/a", "/run/a")],
)
def test_socket_files_are_named_by_their_path(address: str, path: str) -> None:
    """Relative, absolute, or absolute as a URI."""
    check_address(address)
    assert unix_path(address) == path


@pytest.mark.parametrize("address", ["unix:", "unix://host/a", "unix:a\0b", "unix:" + 108 * "a"])
def test_a_path_that_cannot_be_a_sockets_is_refused(address: str) -> None:
    """An empty one, one on another host, one that is longer than the system takes."""
    with pytest.raises(ValueError, match=r"path|PATH"):
        check_address(address)


def test_targets_of_grpc_are_for_clients_alone() -> None:
    """A client may be told several replicas, a server listens on one address."""
    check_target("dns:///wordgate:50051")
    with pytest.raises(ValueError, match="HOST:PORT"):
        check_address("dns:///wordgate:50051")


def test_grpc_reads_a_path_as_part_of_a_uri() -> None:
    """What means something else there is escaped."""
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
def test_this_machine_is_known_by_its_addresses(address: str, expected: bool) -> None:
    """Loopback, all addresses, socket files."""
    assert is_local(address) is expected
