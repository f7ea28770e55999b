"""Limits of the server and their checks."""

from dataclasses import asdict

import pytest

from wordgate.api.v1 import models_pb2
from wordgate.errors import InvalidInput
from wordgate.protocol.limits import Limits, check_bytes, check_count, table


def test_the_limits_are_those_of_the_protocol() -> None:
    """The message has the same limits, and has room for their values."""
    assert {field.name for field in models_pb2.Limits.DESCRIPTOR.fields} == set(asdict(Limits()))
    message = models_pb2.Limits(**asdict(Limits()))
    assert {each.name: value for each, value in message.ListFields()} == asdict(Limits())


def test_every_limit_has_a_unit_and_a_description() -> None:
    """The table of the docs has a complete row for each limit."""
    rows = {row.name: row for row in table(Limits(max_sessions=7))}
    assert rows["max_sessions"].value == 7
    assert all(row.unit and row.bounds and row.value > 0 for row in rows.values())


@pytest.mark.parametrize("text", ["aaaa", "ää", "🦆"])
def test_limits_in_bytes_count_utf8(text: str) -> None:
    """A text of exactly the limit is accepted; one byte more is rejected."""
    check_bytes("history", text, 4)
    with pytest.raises(InvalidInput, match="history: "):
        check_bytes("history", text, 3)


def test_counts_must_be_between_1_and_the_limit() -> None:
    """An empty list is rejected, and so is one that exceeds the limit."""
    check_count("candidates", [1, 2], 2)
    for values in ([], [1, 2, 3]):
        with pytest.raises(InvalidInput, match="candidates"):
            check_count("candidates", values, 2)
