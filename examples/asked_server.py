"""`--server` and what belongs to it, TLS and a token, as options of an example.

Copy it with the example. A token is never an argument, which others of the machine could read: it
is in a file, or in the variable WORDGATE_TOKEN.
"""

import argparse
from pathlib import Path

from wordgate.cli.options.server import ServerConnection


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """The options, in a group of their own."""
    group = parser.add_argument_group("the server")
    group.add_argument("--server", metavar="HOST:PORT", default="127.0.0.1:50051")
    group.add_argument("--token-file", type=Path, help="the token, in a file")
    group.add_argument("--tls", action="store_true", help="trust the public authorities")
    group.add_argument("--tls-ca", type=Path, help="trust who is in this PEM file")
    group.add_argument("--tls-certificate", type=Path, help="a certificate of one's own")
    group.add_argument("--tls-key", type=Path, help="its private key")


def asked_server(given: argparse.Namespace) -> ServerConnection:
    """The server that was named; `connect()` gives a client of it."""
    return ServerConnection(
        given.server,
        token_file=given.token_file,
        tls=given.tls,
        tls_ca=given.tls_ca,
        tls_certificate=given.tls_certificate,
        tls_key=given.tls_key,
    )
