"""Access log, and log lines for internal errors.

Lines contain methods, status codes and durations, never request contents. The request id
(`request`) is added by `wordgate.server.telemetry.logging`.
"""

import structlog
from grpc_health.v1.health import SERVICE_NAME as HEALTH_NAME

from wordgate.server.security.authentication import current_principal
from wordgate.server.telemetry.logging import described
from wordgate.server.telemetry.metrics import Method

_OK = "OK"


class CallLog:
    """Logs completed calls and internal errors."""

    def __init__(self, logged: str = "off") -> None:
        """`logged`: which completed calls are logged, "off", "errors" or "all"."""
        self._logged = logged
        self._log = structlog.get_logger()

    def failed(self, method: Method, error: Exception) -> None:
        """Log an unexpected exception."""
        self._log.error("internal error", method=method.name, **described(error), **_token_name())

    def finished(self, method: Method, code: str, seconds: float) -> None:
        """Log a completed call. Frequent health checks are left out."""
        if self._logged == "off" or (self._logged == "errors" and code == _OK):
            return
        if method.service != HEALTH_NAME:
            duration = round(seconds, 6)
            self._log.info("call", method=method.name, code=code, seconds=duration, **_token_name())


def _token_name() -> dict[str, str]:
    caller = current_principal.get()
    return {} if caller is None else {"token": caller.token.name}
