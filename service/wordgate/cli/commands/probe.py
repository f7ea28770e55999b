"""`wordgate probe`: readiness check with an exit code, for container health checks."""

import socket
import sys
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import click

from wordgate.cli.command import Command
from wordgate.protocol.address import check_target, grpc_target, split_address, unix_path

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
"""Address to probe if a server listens on all addresses."""

_READY = "SERVING"
_ON_FILE = "http+unix:"
"""Scheme of the path of a Unix socket that serves the metrics pages."""


@click.command(cls=Command)
@click.argument("address", default="")
@click.option(
    "--service", default="", help="Check a single service, such as wordgate.v1.ScoringService."
)
@click.option(
    "--timeout-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    help="Timeout of the check.",
)
def probe(address: str, service: str, timeout_seconds: float) -> None:
    """Check whether a server is ready; exit with 0 if it is, 1 if not.

    ADDRESS is HOST:PORT or unix:PATH for the gRPC health service, or the URL of a page that must
    answer 200. The default is the server of this machine or container, at the address in
    WORDGATE_LISTEN or in the file named by WORDGATE_CONFIG. If that server uses TLS, the default is
    the readiness page at its metrics address.

    \b
    wordgate probe
    wordgate probe 10.0.0.7:50051
    wordgate probe http://127.0.0.1:9090/readyz
    """
    target = address or _own_address()
    is_page = target.startswith(("http://", _ON_FILE))
    if not is_page:
        _check(target)
    ask = _ask_page if is_page else _ask_health
    ready, status = ask(target, service, timeout_seconds)
    click.echo(f"{target}: {status}")
    if not ready:
        sys.exit(1)


def _own_address() -> str:
    """Return the configured gRPC address, or with TLS the readiness page.

    The page is plain HTTP; TLS might require a client certificate.
    """
    from wordgate.cli.commands.serve import configure

    server = configure()
    by_page = server.tls_certificate is not None and server.metrics_listen
    listen = server.metrics_listen if by_page else server.listen
    path = unix_path(listen)
    if path is not None:
        return f"{_ON_FILE}{path}" if by_page else listen
    host, port = split_address(listen)
    address = f"{_LOOPBACK.get(host, f'[{host}]' if ':' in host else host)}:{port}"
    return f"http://{address}/readyz" if by_page else address


def _check(address: str) -> None:
    """Raise `click.BadParameter` unless this is a server address."""
    try:
        check_target(address)
    except ValueError as error:
        problem = f"{address} {error}, or a page such as http://127.0.0.1:9090/readyz"
        raise click.BadParameter(problem, param_hint="ADDRESS") from None


def _ask_health(address: str, service: str, timeout_seconds: float) -> tuple[bool, str]:
    import grpc
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
    from grpc_health.v1.health_pb2_grpc import HealthStub

    from wordgate.client.diagnosis import Diagnosis

    options = (("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0))
    with grpc.insecure_channel(grpc_target(address), options=options) as channel:
        stub: Any = HealthStub(channel)
        try:
            answer = stub.Check(HealthCheckRequest(service=service), timeout=timeout_seconds)
        except grpc.RpcError as error:
            problem = None
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                problem = Diagnosis(address, None, asks_proxy=False).find()
            return False, f"{error.code().name}: {problem or error.details()}"
    status = HealthCheckResponse.ServingStatus.Name(answer.status)
    return status == _READY, status


def _ask_page(url: str, _service: str, timeout_seconds: float) -> tuple[bool, str]:
    parts = urlsplit(url)
    try:
        if url.startswith(_ON_FILE):
            connection: HTTPConnection = _OnFile(url.removeprefix(_ON_FILE), timeout_seconds)
            connection.request("GET", "/readyz")
        else:
            connection = HTTPConnection(parts.netloc, timeout=timeout_seconds)
            connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        return answer.status == 200, f"{answer.status} {answer.reason}"
    except (OSError, HTTPException) as error:
        return False, str(error) or type(error).__name__


class _OnFile(HTTPConnection):
    """HTTP connection over a Unix socket."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
