"""Suggestions for the next word.

Knows text, pieces and what to ask of a model; does not know onnxruntime or who is asking.
"""

from dataclasses import dataclass, field
from unicodedata import category

from wordgate.core import words
from wordgate.core.asks import Asks
from wordgate.core.language import Language
from wordgate.core.options import Options
from wordgate.core.state_store import StateStore
from wordgate.core.suggesting import Place, Prediction
from wordgate.core.text import normalise_with_offsets, refuse_surrogates


@dataclass(frozen=True)
class Query:
    """What comes after `history`, where the word begins with `prefix`?

    `history` is all that was written before; `prefix` the typed beginning of the next word, in
    any case. With `correct_last_word`, the last word of both is finished, and asked about itself.
    """

    history: str
    prefix: str = ""
    options: Options = field(default_factory=Options)
    correct_last_word: bool = False


def predict(language: Language, store: StateStore, query: Query) -> Asks[Prediction]:
    """The exact best next words, and phrases where the options want them.

    A prefix of several words (`well-kn`) has its complete ones, marks among them, read as
    history. Raises `InvalidInput` naming `history` or `prefix` for text that is not Unicode.
    """
    if query.correct_last_word:
        return (yield from _correct_last(language, store, query))
    complete, typed = split_typed(query.prefix, "prefix")
    history = f"{query.history} {complete}" if complete.strip() else query.history
    place = Place(language, store, query.options, history)
    return (yield from place.suggest(typed))


def _correct_last(language: Language, store: StateStore, query: Query) -> Asks[Prediction]:
    """What was likelier meant by the last word."""
    refuse_surrogates(query.history, "history")
    refuse_surrogates(query.prefix, "prefix")
    text = f"{query.history} {query.prefix}"
    history, typed = split_typed(text[: _end_of_letters(text)])
    return (yield from Place(language, store, query.options, history).correct(typed))


def _end_of_letters(text: str) -> int:
    """The place behind the last letter or digit of a text and the marks that combine with it."""
    end = len(text)
    while end and not text[end - 1].isalnum():
        end -= 1
    while end and end < len(text) and category(text[end]).startswith("M"):
        end += 1
    return end


def split_typed(text: str, field_name: str = "text") -> tuple[str, str]:
    """A text that is being typed as history and the beginning of its last word, both verbatim.

    The beginning is empty after white space or a mark, and where it is but a part of a character
    (`½` is `1⁄2` in normal form). Raises `InvalidInput` naming the field
    for text that is not Unicode.
    """
    refuse_surrogates(text, field_name)
    chunk_start = _last_space(text) + 1
    written = text[chunk_start:]
    if written.isascii():
        complete, unfinished = words.split_last(written.lower())
        start = chunk_start + len(complete) if unfinished else len(text)
        return text[:start], text[start:]
    chunk = normalise_with_offsets(written)
    complete, unfinished = words.split_last(chunk.text)
    first = len(complete)
    if not unfinished or (first and chunk.starts[first - 1] == chunk.starts[first]):
        return text, ""
    start = chunk_start + chunk.starts[first]
    return text[:start], text[start:]


def _last_space(text: str) -> int:
    """The place of the last white space or control character, -1 when there is none."""
    for place in range(len(text) - 1, -1, -1):
        if text[place].isspace() or category(text[place]) == "Cc":
            return place
    return -1
