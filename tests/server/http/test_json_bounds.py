"""Bounds of JSON that hold before it is parsed."""

import pytest

from wordgate.errors import InvalidInput
from wordgate.server.http.json_bounds import MAX_DEPTH, MAX_VALUES, check_json


@pytest.mark.parametrize(
    "text",
    [
        b'"' + b"[" * 1000 + b'"',
        b'{"history": "\\"' + b"{" * 1000 + b'\\\\"}',
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b'"' + b"," * (MAX_VALUES + 1) + b'"',
        b"",
    ],
)
def test_text_does_not_count(text: bytes) -> None:
    """Brackets and commas inside of texts are text."""
    check_json(text)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * (MAX_DEPTH + 1),
        b'{"a":' * 1_000_000,
        b'["]]]]", ' * (MAX_DEPTH + 1),
        b"[" * (MAX_DEPTH + 1) + b'"unfinished ]]]]]',
    ],
)
def test_deep_json_is_refused(text: bytes) -> None:
    """Nesting is limited: the parser recurses, and would exhaust the stack."""
    with pytest.raises(InvalidInput, match="levels deep"):
        check_json(text)


def test_json_of_very_many_values_is_refused() -> None:
    """The number of values is limited: each takes much more memory than bytes."""
    with pytest.raises(InvalidInput, match="values"):
        check_json(b"[" + b"{}," * MAX_VALUES)
