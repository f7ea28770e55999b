"""Domain errors as gRPC statuses, in one table.

Knows the tree of `wordgate.errors` and google.rpc's details; does not know who raises what.
Nothing is ever UNKNOWN: what is not in the table is INTERNAL, with a message that says nothing of
the request.
"""

from collections.abc import Callable
from dataclasses import dataclass

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus
from grpc_status import rpc_status

from wordgate.errors import (
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    ModelNotFound,
    Overloaded,
    Unauthenticated,
    Unavailable,
)

DRAINING = "the server is going down; ask again, another replica will answer"
REQUEST_ID_HEADER = "x-request-id"

_INTERNAL_MESSAGE = "internal error; the server's log says more of request {}"
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Status:
    """How a call ends: code, message, metadata that goes with them."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def _bad_request(error: InvalidInput) -> Message:
    detail: Message = BadRequest(
        field_violations=[BadRequest.FieldViolation(field=error.field, description=error.problem)]
    )
    return detail


def _retry_info(error: Overloaded) -> Message:
    delay = Duration()
    delay.FromNanoseconds(int(error.retry_after_seconds * _NANOSECONDS))
    detail: Message = RetryInfo(retry_delay=delay)
    return detail


def _resource_info(error: ModelNotFound) -> Message:
    detail: Message = ResourceInfo(
        resource_type="model", resource_name=error.name, description=", ".join(error.served)
    )
    return detail


_TABLE: dict[type[Exception], tuple[grpc.StatusCode, Callable[..., Message] | None]] = {
    InvalidInput: (grpc.StatusCode.INVALID_ARGUMENT, _bad_request),
    Unauthenticated: (grpc.StatusCode.UNAUTHENTICATED, None),
    ModelNotFound: (grpc.StatusCode.NOT_FOUND, _resource_info),
    Overloaded: (grpc.StatusCode.RESOURCE_EXHAUSTED, _retry_info),
    DeadlineExceeded: (grpc.StatusCode.DEADLINE_EXCEEDED, None),
    Cancelled: (grpc.StatusCode.CANCELLED, None),
    Unavailable: (grpc.StatusCode.UNAVAILABLE, None),
    NotImplementedError: (grpc.StatusCode.UNIMPLEMENTED, None),
}


def is_expected(error: Exception) -> bool:
    """Whether an error is the client's to know, and no defect of the server."""
    return type(error) in _TABLE


def status_of(error: Exception, request_id: str) -> Status:
    """The status that a client is told, with the id of its request."""
    if type(error) not in _TABLE:
        message = _INTERNAL_MESSAGE.format(request_id)
        return _status(grpc.StatusCode.INTERNAL, message, [], request_id)
    code, detail = _TABLE[type(error)]
    return _status(code, str(error), [detail(error)] if detail else [], request_id)


def _status(code: grpc.StatusCode, message: str, details: list[Message], request_id: str) -> Status:
    packed = []
    for detail in details:
        packed.append(Any())
        packed[-1].Pack(detail)
    told = rpc_status.to_status(RpcStatus(code=code.value[0], message=message, details=packed))
    return Status(
        told.code, told.details, (*told.trailing_metadata, (REQUEST_ID_HEADER, request_id))
    )
