"""Domain errors as statuses."""

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
    errors.Cancelled("nobody waits"): grpc.StatusCode.CANCELLED,
    errors.Unavailable("draining"): grpc.StatusCode.UNAVAILABLE,
}


@pytest.mark.parametrize(("error", "code"), EXPECTED.items(), ids=lambda v: type(v).__name__)
def test_errors_of_requests_have_their_status(
    error: errors.WordgateError, code: grpc.StatusCode
) -> None:
    """Each error that a request can cause has its own status, keeps its words, names its call."""
    status = encode_error(error, REQUEST)
    assert (status.code, status.details) == (code, str(error))
    assert status.trailing_metadata[-1] == ("x-request-id", REQUEST)
    assert is_expected(error)


@pytest.mark.parametrize("error", [KeyError("a user's text"), errors.InvalidFile("x", "y")])
def test_anything_else_is_internal_and_says_nothing(error: Exception) -> None:
    """A defect is INTERNAL, never UNKNOWN, and repeats nothing of the request but its id."""
    status = encode_error(error, REQUEST)
    assert status.code is grpc.StatusCode.INTERNAL
    assert status.details == f"internal error; the server's log says more of request {REQUEST}"
    assert status.trailing_metadata[-1] == ("x-request-id", REQUEST)
    assert not is_expected(error)


def test_overload_says_when_to_come_again() -> None:
    """RESOURCE_EXHAUSTED carries a RetryInfo."""
    (_, packed), _ = encode_error(errors.Overloaded("full", 1.5), REQUEST).trailing_metadata
    assert isinstance(packed, bytes)
    detail = RetryInfo()
    assert Status.FromString(packed).details[0].Unpack(detail)
    assert detail.retry_delay.ToMilliseconds() == 1500
