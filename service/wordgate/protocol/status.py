"""Errors as gRPC statuses with google.rpc details, in both directions.

An error that is not in the table becomes INTERNAL, with a message that has nothing of the request.
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

DRAINING = "the server is going down; ask again, another replica will answer"
REQUEST_ID_HEADER = "x-request-id"

_DETAILS_KEY = "grpc-status-details-bin"
_BROKEN_STREAM = "RST_STREAM"
"""What gRPC says, as INTERNAL, of a stream that a proxy broke off because its server was gone."""

_UNRESOLVED = "errors resolving"
"""What gRPC says, as UNAVAILABLE, of a name that DNS does not know."""

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


def encode_error(error: Exception, request_id: str) -> Status:
    """The status that a client is told, with the id of its request."""
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
    told = rpc_status.to_status(RpcStatus(code=code.value[0], message=message, details=packed))
    return Status(
        told.code, told.details, (*told.trailing_metadata, (REQUEST_ID_HEADER, request_id))
    )


class NoAnswer(Unavailable):
    """No server answered at an address; gRPC does not say whether that is a matter of TLS."""


def decode_error(call: Any, address: str) -> WordgateError:
    """The error that a status stands for; `call` knows its code, details and metadata."""
    code, message = call.code(), call.details() or ""
    status = _decode_status(call.trailing_metadata() or ())
    if _BROKEN_STREAM in message:
        return Unavailable(f"{address}: {message}")
    if code not in _ERRORS:
        return WordgateError(f"{address}: {code.name}: {message}")
    return _ERRORS[code](status, message, address)


def _decode_status(metadata: Iterable[tuple[str, Any]]) -> Any | None:
    """The google.rpc.Status that the server sent with an error of its own."""
    for key, value in metadata:
        if key == _DETAILS_KEY:
            return RpcStatus.FromString(value)
    return None


def _detail(status: Any | None, kind: Any) -> Any | None:
    for packed in status.details if status is not None else ():
        if packed.Is(kind.DESCRIPTOR):
            found = kind()
            packed.Unpack(found)
            return found
    return None


def _invalid_input(status: Any | None, message: str, address: str) -> WordgateError:
    found = _detail(status, BadRequest)
    if found is None or not found.field_violations:
        return InvalidInput("request", message)
    violation = found.field_violations[0]
    return InvalidInput(violation.field, violation.description)


def _not_found(status: Any | None, message: str, address: str) -> WordgateError:
    found = _detail(status, ResourceInfo)
    if found is None:
        return WordgateError(f"{address}: {message}")
    return ModelNotFound(found.resource_name, found.description.split(", "))


def _exhausted(status: Any | None, message: str, address: str) -> WordgateError:
    """Too much at once; gRPC itself says the same of a message that is too large."""
    found = _detail(status, RetryInfo)
    if found is None:
        problem = f"is too large for {address} ({message}); ask about less at once, prune lattices"
        return InvalidInput("request", problem)
    return Overloaded(message, found.retry_delay.ToNanoseconds() / 1e9)


def _unauthenticated(status: Any | None, message: str, address: str) -> WordgateError:
    return Unauthenticated(f"{address}: {message}")


def _unavailable(status: Any | None, message: str, address: str) -> WordgateError:
    if status is not None:
        return Unavailable(f"{address}: {message}")
    if _UNRESOLVED in message:
        return NoAnswer(
            f"no server answers at {address}: its host name cannot be resolved; check it"
        )
    remedy = "check the address, and that the server runs"
    if is_local(address):
        remedy = f"start one with `wordgate serve --listen {address}`, or name another"
    return NoAnswer(f"no server answers at {address} ({message}); {remedy}")


def _too_late(status: Any | None, message: str, address: str) -> WordgateError:
    return DeadlineExceeded(f"{address} did not answer in time; allow more, or ask less")


def _cancelled(status: Any | None, message: str, address: str) -> WordgateError:
    return Cancelled(f"the request to {address} was cancelled")


_ERRORS = {
    grpc.StatusCode.INVALID_ARGUMENT: _invalid_input,
    grpc.StatusCode.NOT_FOUND: _not_found,
    grpc.StatusCode.RESOURCE_EXHAUSTED: _exhausted,
    grpc.StatusCode.UNAUTHENTICATED: _unauthenticated,
    grpc.StatusCode.UNAVAILABLE: _unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: _too_late,
    grpc.StatusCode.CANCELLED: _cancelled,
}
