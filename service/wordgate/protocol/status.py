"""Map errors to gRPC statuses with google.rpc details, and back.

Any other error becomes INTERNAL, with a message that contains nothing of the request but its ID.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
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
    WordgateError,
)
from wordgate.protocol.address import is_local

DRAINING = "server shutting down; retry on another replica"
REQUEST_ID_HEADER = "x-request-id"

DETAILS_KEY = "grpc-status-details-bin"
_BROKEN_STREAM = "RST_STREAM"
"""Part of gRPC's INTERNAL message if a proxy resets a stream because its server is gone."""

_UNRESOLVED = "errors resolving"
"""Part of gRPC's UNAVAILABLE message if DNS does not resolve the host name."""

_INTERNAL_MESSAGE = "internal error; see the server's log for request {}"


@dataclass(frozen=True)
class Status:
    """Status of an RPC: code, message and trailing metadata."""

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
    delay.FromNanoseconds(int(error.retry_after_seconds * 1e9))
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
    """Return whether an error is part of the API, not a defect of the server."""
    return type(error) in _TABLE


def encode_error(error: Exception, request_id: str) -> Status:
    """Return the gRPC status for an error, with the ID of the request as metadata."""
    if type(error) not in _TABLE:
        message = _INTERNAL_MESSAGE.format(request_id)
        return _encode_status(grpc.StatusCode.INTERNAL, message, [], request_id)
    code, detail = _TABLE[type(error)]
    return _encode_status(code, str(error), [detail(error)] if detail else [], request_id)


def _encode_status(
    code: grpc.StatusCode, message: str, details: list[Message], request_id: str
) -> Status:
    packed = []
    for detail in details:
        packed.append(AnyMessage())
        packed[-1].Pack(detail)
    status = rpc_status.to_status(RpcStatus(code=code.value[0], message=message, details=packed))
    return Status(
        status.code, status.details, (*status.trailing_metadata, (REQUEST_ID_HEADER, request_id))
    )


class NoAnswer(Unavailable):
    """No server responds at an address. The cause may be TLS; gRPC does not say."""


def decode_error(call: Any, address: str) -> WordgateError:
    """Return the error for the status of a failed gRPC `call` to `address`."""
    code, message = call.code(), call.details() or ""
    status = _decode_status(call.trailing_metadata() or ())
    if _BROKEN_STREAM in message:
        return Unavailable(f"{address}: {message}")
    if code not in _ERRORS:
        return WordgateError(f"{address}: {code.name}: {message}")
    return _ERRORS[code](status, message, address)


def _decode_status(metadata: Iterable[tuple[str, Any]]) -> Any | None:
    """Return the google.rpc.Status that a Wordgate server attached, or None."""
    for key, value in metadata:
        if key == DETAILS_KEY:
            return RpcStatus.FromString(value)
    return None


def _find_detail(status: Any | None, kind: Any) -> Any | None:
    for packed in status.details if status is not None else ():
        if packed.Is(kind.DESCRIPTOR):
            detail = kind()
            packed.Unpack(detail)
            return detail
    return None


def _invalid_input(status: Any | None, message: str, address: str) -> WordgateError:
    detail = _find_detail(status, BadRequest)
    if detail is None or not detail.field_violations:
        return InvalidInput("request", message)
    violation = detail.field_violations[0]
    return InvalidInput(violation.field, violation.description)


def _not_found(status: Any | None, message: str, address: str) -> WordgateError:
    detail = _find_detail(status, ResourceInfo)
    if detail is None:
        return WordgateError(f"{address}: {message}")
    return ModelNotFound(detail.resource_name, detail.description.split(", "))


def _exhausted(status: Any | None, message: str, address: str) -> WordgateError:
    """Return `Overloaded`, or `InvalidInput` if gRPC rejected the message for its size."""
    detail = _find_detail(status, RetryInfo)
    if detail is None:
        problem = f"is too large for {address} ({message}); send less per request, prune lattices"
        return InvalidInput("request", problem)
    return Overloaded(message, detail.retry_delay.ToNanoseconds() / 1e9)


def _unauthenticated(status: Any | None, message: str, address: str) -> WordgateError:
    return Unauthenticated(f"{address}: {message}")


def _unavailable(status: Any | None, message: str, address: str) -> WordgateError:
    if status is not None:
        return Unavailable(f"{address}: {message}")
    if _UNRESOLVED in message:
        return NoAnswer(
            f"no server answers at {address}: host name cannot be resolved; check the address"
        )
    remedy = "check the address and that the server is running"
    if is_local(address):
        remedy = f"start one with `wordgate serve --listen {address}`, or use another address"
    return NoAnswer(f"no server answers at {address} ({message}); {remedy}")


def _deadline_exceeded(status: Any | None, message: str, address: str) -> WordgateError:
    return DeadlineExceeded(f"deadline exceeded at {address}; raise the timeout or send less")


def _cancelled(status: Any | None, message: str, address: str) -> WordgateError:
    return Cancelled(f"request to {address} cancelled")


_ERRORS = {
    grpc.StatusCode.INVALID_ARGUMENT: _invalid_input,
    grpc.StatusCode.NOT_FOUND: _not_found,
    grpc.StatusCode.RESOURCE_EXHAUSTED: _exhausted,
    grpc.StatusCode.UNAUTHENTICATED: _unauthenticated,
    grpc.StatusCode.UNAVAILABLE: _unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: _deadline_exceeded,
    grpc.StatusCode.CANCELLED: _cancelled,
}
