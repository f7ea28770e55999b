"""Next-word prediction: split the typed text into history and prefix, and suggest words."""

from dataclasses import dataclass, field
from unicodedata import category

from wordgate.decoding.options import Options
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.decoding.suggestions import Suggester
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import ModelTask, TimeSlice
from wordgate.lm.state_store import StateStore
from wordgate.text import words
from wordgate.text.cooperative_steps import Steps, finish
from wordgate.text.normalization import normalising_with_offsets, require_unicode

_LOOKED_AT = 512
"""Number of characters to examine per step."""


@dataclass(frozen=True)
class Query:
    """A prediction request: which word follows `history` and begins with `prefix`?

    `history` is the text before the word. `prefix` is what was typed of the word, in any letter
    case. With `correct_last_word`, the last word of both together is complete, and the request is
    for corrections of it.
    """

    history: str
    prefix: str = ""
    options: Options = field(default_factory=Options)
    correct_last_word: bool = False


def predict(language: Lexicon, store: StateStore, query: Query) -> ModelTask[PredictionResult]:
    """Return the exact best next words, with phrases and corrections if the options ask for them.

    If the prefix has several words (`well-kn`), the complete ones, including marks, count as
    history. Raises `InvalidInput` naming `history` or `prefix` for text that is not Unicode, and
    for the same reasons as `Options.prepare`.
    """
    time_slice = TimeSlice()
    yield from time_slice.run(query.options.prepare())
    if query.correct_last_word:
        return (yield from _correct_last(language, store, query))
    complete, typed = yield from time_slice.run(splitting_typed(query.prefix, "prefix"))
    history = f"{query.history} {complete}" if complete.strip() else query.history
    suggester = Suggester(language, store, query.options, history)
    return (yield from suggester.suggest(typed))


def _correct_last(
    language: Lexicon, store: StateStore, query: Query
) -> ModelTask[PredictionResult]:
    """Return corrections of the last word."""
    require_unicode(query.history, "history")
    require_unicode(query.prefix, "prefix")
    text = f"{query.history} {query.prefix}"
    time_slice = TimeSlice()
    end = yield from time_slice.run(_end_of_letters(text))
    history, typed = yield from time_slice.run(splitting_typed(text[:end]))
    return (yield from Suggester(language, store, query.options, history).correct(typed))


def _end_of_letters(text: str) -> Steps[int]:
    """Return the index after the last letter or digit and its combining marks."""
    end = len(text)
    while end and not text[end - 1].isalnum():
        end -= 1
        if end % _LOOKED_AT == 0:
            yield
    while end and end < len(text) and category(text[end]).startswith("M"):
        end += 1
        if end % _LOOKED_AT == 0:
            yield
    return end


def split_typed(text: str) -> tuple[str, str]:
    """Split a partly typed text into history and the prefix of its last word, both verbatim.

    The prefix is empty after white space or a mark, and if it would begin inside a character (`½`
    is `1⁄2` in normal form). Raises `InvalidInput` for text that is not Unicode.
    """
    return finish(splitting_typed(text))


def splitting_typed(text: str, field_name: str = "text") -> Steps[tuple[str, str]]:
    """Split in steps. Same result as `split_typed`; an error names the field."""
    require_unicode(text, field_name)
    chunk_start = (yield from _last_space(text)) + 1
    written = text[chunk_start:]
    if written.isascii():
        complete, unfinished = yield from words.splitting_last(written.lower())
        start = chunk_start + len(complete) if unfinished else len(text)
        return text[:start], text[start:]
    chunk = yield from normalising_with_offsets(written)
    complete, unfinished = yield from words.splitting_last(chunk.text)
    first = len(complete)
    if not unfinished or (first and chunk.starts[first - 1] == chunk.starts[first]):
        return text, ""
    start = chunk_start + chunk.starts[first]
    return text[:start], text[start:]


def _last_space(text: str) -> Steps[int]:
    """Return the index of the last white space or control character, or -1."""
    for index in range(len(text) - 1, -1, -1):
        if text[index].isspace() or category(text[index]) == "Cc":
            return index
        if index % _LOOKED_AT == 0:
            yield
    return -1
