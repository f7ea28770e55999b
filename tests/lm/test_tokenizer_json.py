"""Validation of `tokenizer.json`."""

import json
from typing import Any

import pytest

from wordgate.lm import tokenizer_json
from wordgate.lm.tokenizer import END_OF_WORD, Tokenizer


def _document(**changes: Any) -> str:
    model = {
        "type": "BPE",
        "end_of_word_suffix": END_OF_WORD,
        "vocab": {"<eos>": 0, "a": 1, "b</w>": 2, "ab</w>": 3},
        "merges": [["a", "b</w>"]],
    }
    return json.dumps({"version": "1.0", "added_tokens": [], "model": model | changes})


def test_names_come_by_number_and_merges_by_rank() -> None:
    """Names are sorted by id, whatever their order in the document."""
    vocabulary = {"ab</w>": 3, "a": 1, "<eos>": 0, "b</w>": 2}
    names, merges = tokenizer_json.read(_document(vocab=vocabulary), END_OF_WORD)
    assert names == ["<eos>", "a", "b</w>", "ab</w>"]
    assert merges == [("a", "b</w>")]


@pytest.mark.parametrize("number", [-1, 2, 4, 4_000_000_000, 10**30, 1.0, "3", None, True, [3]])
def test_another_number_is_refused(number: object) -> None:
    """Token ids must be 0, 1, 2 …, each once."""
    vocabulary = {"<eos>": 0, "a": 1, "b</w>": 2, "ab</w>": number}
    with pytest.raises(ValueError, match="unique integer from 0 to 3"):
        tokenizer_json.read(_document(vocab=vocabulary), END_OF_WORD)


@pytest.mark.parametrize(
    "pair", [["a", "a"], ["a"], ["a", "b</w>", ""], "ab", {"a": 1}, [1, 2], [["a"], "b</w>"], None]
)
def test_a_merge_that_makes_no_token_is_refused(pair: object) -> None:
    """A merge must join two existing tokens into a third."""
    with pytest.raises(ValueError, match="merge 0 does not join two tokens"):
        tokenizer_json.read(_document(merges=[pair]), END_OF_WORD)


@pytest.mark.parametrize(
    "document", ["7", "[]", "{}", '{"model": 1}', '{"model": {}}', "[" * 99_999, "", "{"]
)
def test_what_is_no_tokenizer_is_refused(document: str) -> None:
    """Other JSON is rejected, and so is malformed JSON."""
    with pytest.raises(ValueError):
        tokenizer_json.read(document, END_OF_WORD)


def test_a_vocabulary_writes_all_bytes() -> None:
    """A vocabulary that cannot encode some texts is rejected."""
    with pytest.raises(ValueError, match="some texts cannot be encoded"):
        Tokenizer.from_json(_document())
