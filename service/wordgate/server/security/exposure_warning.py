"""Warn about missing TLS or authentication on a non-loopback address.

Reads the options only, so that the supervisor does not have to import the security modules.
"""

from ipaddress import ip_address

import structlog

from wordgate.protocol.address import split_address, unix_path
from wordgate.server.config.options import Configuration


def warn_if_exposed(configuration: Configuration) -> None:
    """Log a warning if a non-loopback address is served without TLS or authentication."""
    open_to = []
    if configuration.tls_certificate is None:
        open_to.append("traffic is not encrypted (no TLS)")
    if configuration.tokens_file is None and configuration.tls_client_ca is None:
        open_to.append("clients are not authenticated (no tokens, no client certificates)")
    listens = filter(None, (configuration.listen, configuration.http_listen))
    if open_to and not all(map(_is_this_machine, listens)):
        problem = "; ".join(open_to)
        structlog.get_logger().warning("exposed beyond this host", problem=problem)


def _is_this_machine(address: str) -> bool:
    if unix_path(address) is not None:
        return True
    host, _ = split_address(address)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
