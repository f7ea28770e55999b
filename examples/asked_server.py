"""Command-line options of the examples for the server address, TLS and the API token.

Copy this file with the example. The token is read from a file or from the variable WORDGATE_TOKEN,
never from an argument, because other users of the machine could read it there.
"""

import argparse
from pathlib import Path

from wordgate.cli.options.server import ServerConnection


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the server options as a group."""
    group = parser.add_argument_group("server")
    group.add_argument("--server", metavar="HOST:PORT", default="127.0.0.1:50051")
    group.add_argument("--token-file", type=Path, help="file with the API token")
    group.add_argument("--tls", action="store_true", help="use TLS with the public root CAs")
    group.add_argument("--tls-ca", type=Path, help="CA bundle (PEM); enables TLS")
    group.add_argument("--tls-certificate", type=Path, help="client certificate (PEM)")
    group.add_argument("--tls-key", type=Path, help="its private key (PEM)")


def asked_server(arguments: argparse.Namespace) -> ServerConnection:
    """Return the server named by the options; its `connect()` returns a client."""
    return ServerConnection(
        arguments.server,
        token_file=arguments.token_file,
        tls=arguments.tls,
        tls_ca=arguments.tls_ca,
        tls_certificate=arguments.tls_certificate,
        tls_key=arguments.tls_key,
    )
