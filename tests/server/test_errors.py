"""Domain errors as statuses."""

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from wordgate import errors
from wordgate.server.errors import INTERNAL_MESSAGE, is_expected, status_of

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
    """Each error that a request can cause has its own status and keeps its words."""
    status = status_of(error)
    assert (status.code, status.details) == (code, str(error))
    assert is_expected(error)


@pytest.mark.parametrize("error", [KeyError("a user's text"), errors.InvalidFile("x", "y")])
def test_anything_else_is_internal_and_says_nothing(error: Exception) -> None:
    """A defect is INTERNAL, never UNKNOWN, and repeats nothing of the request."""
    status = status_of(error)
    assert (status.code, status.details) == (grpc.StatusCode.INTERNAL, INTERNAL_MESSAGE)
    assert not is_expected(error)


def test_overload_says_when_to_come_again() -> None:
    """RESOURCE_EXHAUSTED carries a RetryInfo."""
    [(_, packed)] = status_of(errors.Overloaded("full", 1.5)).trailing_metadata
    detail = RetryInfo()
    assert Status.FromString(packed).details[0].Unpack(detail)
    assert detail.retry_delay.ToMilliseconds() == 1500
