"""gRPC channel options of the server: sizes, numbers of calls and connections, timeouts."""

import resource

from wordgate.protocol.limits import Limits
from wordgate.server.config.options import INT32_MAX

_KEEPALIVE_MS = 30_000
_HANDSHAKE_MS = 20_000
"""HTTP/2 handshake timeout, also for the acknowledgement of the server's settings."""

RESERVED_FDS = 128
"""File descriptors reserved for metrics and files, not available to connections of callers."""

MIN_PENDING_RPCS = 1000
"""Minimum of pending calls that gRPC accepts, even if fewer may be in progress. The server itself
then rejects calls above its limit with an error message, and still answers health checks."""


def channel_options(
    limits: Limits, *, shares_port: bool, http_connections: int = 0
) -> list[tuple[str, int]]:
    """Return the options.

    `shares_port`: other processes may listen on the same port. `http_connections`: how many the
    server may have open in addition to those of gRPC.
    """
    pending = max(limits.max_concurrent_rpcs, MIN_PENDING_RPCS)
    return [
        ("grpc.so_reuseport", int(shares_port)),
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        # Between the soft and the hard limit gRPC rejects at random:
        # https://github.com/grpc/grpc/pull/32600
        ("grpc.max_metadata_size", limits.max_header_bytes),
        ("grpc.absolute_max_metadata_size", limits.max_header_bytes),
        ("grpc.max_concurrent_streams", limits.max_connection_calls),
        # gRPC would let a fast client send up to 32 MB ahead on every stream.
        ("grpc.http2.bdp_probe", 0),
        # Otherwise, when one client floods the server, grpc cancels other clients' calls:
        # https://github.com/grpc/grpc/pull/34782
        ("grpc.server.max_pending_requests", pending),
        ("grpc.server.max_pending_requests_hard_limit", min(2 * pending, INT32_MAX)),
        ("grpc.max_allowed_incoming_connections", _max_connections(http_connections)),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
        ("grpc.http2.settings_timeout", _HANDSHAKE_MS),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_MS // 2),
        ("grpc.keepalive_permit_without_calls", 1),
        # Sessions reach their own maximum age long before the connection does.
        ("grpc.max_connection_age_ms", min(2000 * limits.max_session_seconds, INT32_MAX)),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 0),
    ]


def _max_connections(http_connections: int) -> int:
    """Return the limit: that of open files less `RESERVED_FDS` and the connections of HTTP."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        min(INT32_MAX, max(1, limit - RESERVED_FDS - http_connections)) if limit > 0 else INT32_MAX
    )
