"""Validating reader for `tokenizer.json`.

The Hugging Face library trusts its input: a token id of four billion makes it allocate a table of
that length, and some documents make it panic. Therefore token names and merges are read here, and
the library gets nothing else of the document.
"""

import json
from typing import Any

_NOTHING: tuple[Any, ...] = (None, False, "", [], {})
_READ = {"type": "BPE", "vocab": None, "merges": None, "end_of_word_suffix": None}


def read(document: str, suffix: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return token names by id and merges by rank of a byte-pair encoding with this suffix.

    Raises `ValueError` for another kind of tokenizer, for token ids that are not 0, 1, 2 …, and for
    merges of tokens that do not exist.
    """
    try:
        values = json.loads(document)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(values, dict) or not isinstance(values.get("model"), dict):
        raise ValueError("not a JSON object with a model")
    model = values["model"]
    _refuse_others({key: values[key] for key in values.keys() - {"version", "model"}})
    _refuse_others({key: model[key] for key in model.keys() - _READ.keys()})
    if model.get("type", "BPE") != "BPE" or model.get("end_of_word_suffix") != suffix:
        raise ValueError(f"model: not BPE with end_of_word_suffix {suffix}")
    names = _names(model.get("vocab"))
    return names, _merges(model.get("merges"), set(names))


def _refuse_others(values: dict[str, Any]) -> None:
    """Raise `ValueError` for any setting that would change the tokenization."""
    for key, value in values.items():
        if value not in _NOTHING:
            raise ValueError(f"{key[:50]!a} is set; only plain byte-pair encoding is supported")


def _names(vocab: Any) -> list[str]:
    if not isinstance(vocab, dict):
        raise ValueError("model.vocab is not an object")
    names: list[str | None] = [None] * len(vocab)
    for name, number in vocab.items():
        if type(number) is not int or not 0 <= number < len(names) or names[number] is not None:
            problem = f"{str(number)[:50]} is not a unique integer from 0 to {len(names) - 1}"
            raise ValueError(f"model.vocab: {name[:50]!a}: {problem}")
        names[number] = name
    return [name for name in names if name is not None]


def _merges(merges: Any, known: set[str]) -> list[tuple[str, str]]:
    if not isinstance(merges, list):
        raise ValueError("model.merges is not a list")
    for rank, pair in enumerate(merges):
        if not _is_merge(pair, known):
            raise ValueError(f"model.merges: merge {rank} does not join two tokens into a third")
    return [(first, second) for first, second in merges]


def _is_merge(pair: Any, known: set[str]) -> bool:
    if not isinstance(pair, list) or len(pair) != 2:
        return False
    first, second = pair
    if type(first) is not str or type(second) is not str:
        return False
    return first in known and second in known and first + second in known
