"""What is missing where a server listens beyond this machine.

Knows the options of security; does not know what they do, so that a process which only looks after
others need not.
"""

from ipaddress import ip_address

import structlog

from wordgate.protocol.address import split_address, unix_path
from wordgate.server.config.options import Configuration


def warn_if_exposed(configuration: Configuration) -> None:
    """Say in the log what somebody should know who has a server listen beyond this machine."""
    open_to = []
    if configuration.tls_certificate is None:
        open_to.append("whoever is on the way can read and change what is sent (no TLS)")
    if configuration.tokens_file is None and configuration.tls_client_ca is None:
        open_to.append("whoever reaches it is answered (no tokens)")
    if open_to and not _is_this_machine(configuration.listen):
        problem = "; ".join(open_to)
        structlog.get_logger().warning("open beyond this machine", problem=problem)


def _is_this_machine(address: str) -> bool:
    if unix_path(address) is not None:
        return True
    host, _ = split_address(address)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
