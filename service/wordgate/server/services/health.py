"""gRPC health checking: https://github.com/grpc/grpc/blob/master/doc/health-checking.md"""

from typing import Any

from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer


class Health(HealthServicer):
    """The servicer of `grpcio-health-checking`, plus `List`, which it lacks."""

    async def List(self, request: Any, context: Any) -> Any:
        """Return the status of every service."""
        statuses: dict[str, int] = self._server_status  # type: ignore[attr-defined]
        response = health_pb2.HealthListResponse()  # type: ignore[attr-defined]
        for service, status in statuses.items():
            response.statuses[service].status = status
        return response
