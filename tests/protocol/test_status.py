"""Mapping of errors to gRPC statuses."""

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from wordgate import errors
from wordgate.protocol.status import encode_error, is_expected

REQUEST = "0b1d5a7e"
EXPECTED = {
    errors.InvalidInput("history", "is too long"): grpc.StatusCode.INVALID_ARGUMENT,
    errors.ModelNotFound("x", ["en@1"]): grpc.StatusCode.NOT_FOUND,
    errors.Overloaded("full", 1.5): grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.DeadlineExceeded("late"): grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Cancelled("request cancelled"): grpc.StatusCode.CANCELLED,
    errors.Unavailable("draining"): grpc.StatusCode.UNAVAILABLE,
}


@pytest.mark.parametrize(("error", "code"), EXPECTED.items(), ids=lambda v: type(v).__name__)
def test_api_errors_map_to_status_codes(error: errors.WordgateError, code: grpc.StatusCode) -> None:
    """Each API error has its own code, its message, and the request ID as metadata."""
    status = encode_error(error, REQUEST)
    assert (status.code, status.details) == (code, str(error))
    assert status.trailing_metadata[-1] == ("x-request-id", REQUEST)
    assert is_expected(error)


@pytest.mark.parametrize("error", [KeyError("a user's text"), errors.InvalidFile("x", "y")])
def test_other_errors_are_internal_without_request_data(error: Exception) -> None:
    """A defect is INTERNAL, never UNKNOWN; the message contains only the ID of the request."""
    status = encode_error(error, REQUEST)
    assert status.code is grpc.StatusCode.INTERNAL
    assert status.details == f"internal error; see the server's log for request {REQUEST}"
    assert status.trailing_metadata[-1] == ("x-request-id", REQUEST)
    assert not is_expected(error)


def test_overload_has_retry_info() -> None:
    """RESOURCE_EXHAUSTED has a RetryInfo with the delay of the error."""
    (_, packed), _ = encode_error(errors.Overloaded("full", 1.5), REQUEST).trailing_metadata
    assert isinstance(packed, bytes)
    detail = RetryInfo()
    assert Status.FromString(packed).details[0].Unpack(detail)
    assert detail.retry_delay.ToMilliseconds() == 1500
