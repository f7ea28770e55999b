"""Request ids."""

import pytest

from wordgate.protocol.status import REQUEST_ID_HEADER
from wordgate.server.telemetry.request_id import MAX_CHARACTERS, RequestId, request_id_of

OF_ENVOY = "0b1d5a7e-1f3c-9d6a-9f37-7a36c8f3e111"


@pytest.mark.parametrize("given", [OF_ENVOY, "a", "A_b.9-z", "x" * MAX_CHARACTERS])
def test_a_valid_client_id_is_kept(given: str) -> None:
    """A short id of letters, digits, dots, dashes and underscores is kept."""
    headers = (("user-agent", "somebody"), (REQUEST_ID_HEADER, given))
    assert request_id_of(headers).request_id == given


@pytest.mark.parametrize(
    "given", ["", "two words", "ü", b"bytes", "line\n", "a/b", "x" * (MAX_CHARACTERS + 1)]
)
def test_an_invalid_client_id_is_replaced(given: str | bytes) -> None:
    """An id that is long or has other characters is replaced by a generated one."""
    request_id = request_id_of([(REQUEST_ID_HEADER, given)]).request_id
    assert request_id != given
    assert request_id_of([(REQUEST_ID_HEADER, request_id)]).request_id == request_id


def test_a_call_has_one_id() -> None:
    """Its id is stable, and differs from that of another call."""
    call = request_id_of([])
    assert call.request_id == call.request_id
    assert len({RequestId().request_id for _ in range(1000)}) == 1000
