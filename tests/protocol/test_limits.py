"""What the server accepts."""

import pytest

from wordgate.api.v1 import models_pb2
from wordgate.errors import InvalidInput
from wordgate.protocol.limits import Limits, check_bytes, check_count, table


def test_the_table_has_every_limit_of_the_protocol() -> None:
    """Every limit that GetModel answers stands in the table, with its unit and what it bounds."""
    rows = {row.name: row for row in table(Limits(max_sessions=7))}
    assert {field.name for field in models_pb2.Limits.DESCRIPTOR.fields} <= set(rows)
    assert rows["max_sessions"].value == 7
    assert all(row.unit and row.bounds and row.value > 0 for row in rows.values())


@pytest.mark.parametrize("text", ["aaaa", "ää", "🦆"])
def test_bytes_are_those_of_utf8(text: str) -> None:
    """A text of exactly the limit passes, one byte less of room refuses it."""
    check_bytes("history", text, 4)
    with pytest.raises(InvalidInput, match="history: "):
        check_bytes("history", text, 3)


def test_counts_are_between_one_and_the_limit() -> None:
    """Nothing at all is refused as well as too much."""
    check_count("candidates", [1, 2], 2)
    for values in ([], [1, 2, 3]):
        with pytest.raises(InvalidInput, match="candidates"):
            check_count("candidates", values, 2)
