"""The ids of requests."""

import pytest

from wordgate.protocol.status import REQUEST_ID_HEADER
from wordgate.server.telemetry.request_id import MAX_CHARACTERS, RequestId, request_id_of

OF_ENVOY = "0b1d5a7e-1f3c-9d6a-9f37-7a36c8f3e111"


@pytest.mark.parametrize("given", [OF_ENVOY, "a", "A_b.9-z", "x" * MAX_CHARACTERS])
def test_a_callers_id_is_kept(given: str) -> None:
    """A short id of letters, digits, dots, dashes and underscores stays as it came."""
    headers = (("user-agent", "somebody"), (REQUEST_ID_HEADER, given))
    assert request_id_of(headers).request_id == given


@pytest.mark.parametrize(
    "given", ["", "two words", "ü", b"bytes", "line\n", "a/b", "x" * (MAX_CHARACTERS + 1)]
)
def test_what_is_no_id_is_replaced(given: str | bytes) -> None:
    """A text that is long, or of other characters, gets a fresh id."""
    request_id = request_id_of([(REQUEST_ID_HEADER, given)]).request_id
    assert request_id != given
    assert request_id_of([(REQUEST_ID_HEADER, request_id)]).request_id == request_id


def test_a_call_has_one_id() -> None:
    """It is the same whenever it is asked for, and another call has another."""
    call = request_id_of([])
    assert call.request_id == call.request_id
    assert len({RequestId().request_id for _ in range(1000)}) == 1000
