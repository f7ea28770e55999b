"""Convert gRPC statuses to Connect errors with the same code, message and details."""

from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from connectrpc.request import RequestContext
from google.rpc.status_pb2 import Status as RpcStatus
from protobuf.wkt import Any as AnyMessage

from wordgate.protocol.status import DETAILS_KEY, REQUEST_ID_HEADER, Status


def connect_error(status: Status, http: RequestContext[Any, Any]) -> ConnectError:
    """Return the Connect error for a status, and add its request id to the response's headers."""
    details = []
    for key, value in status.trailing_metadata:
        if key == DETAILS_KEY:
            packed = RpcStatus.FromString(value).details
            details = [
                ErrorDetail(AnyMessage(type_url=one.type_url, value=one.value)) for one in packed
            ]
        elif key == REQUEST_ID_HEADER:
            http.response_headers[key] = str(value)
    return ConnectError(_code(status), status.details, details)


def _code(status: Status) -> Code:
    name = status.code.name
    return Code.CANCELED if name == "CANCELLED" else Code[name]
