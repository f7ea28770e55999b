"""Explain a text: what the model expected at each word and token, and what its layers did."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from typing import TypedDict

from wordgate.decoding.next_words import likeliest_words
from wordgate.decoding.options import MAX_SUGGESTIONS, MIN_PROBABILITY, check_range
from wordgate.decoding.search import ScoredWord, SearchParams, SearchResult
from wordgate.errors import InvalidInput
from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.context_window import read_words_context
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import (
    YIELD,
    Activations,
    ModelTask,
    Prefill,
    State,
    StepActivations,
    TokenLogProbs,
)
from wordgate.lm.state_store import StateStore
from wordgate.scoring.activations import LayerActivations, summarise
from wordgate.scoring.explained_text import Remainder, TextWord, leave_out, read_text
from wordgate.scoring.likely_tokens import ScoredToken, likeliest_tokens
from wordgate.text.argument_types import require_text
from wordgate.text.cooperative_steps import Steps

DEFAULT_TOP_K = 5

MAX_EXPLAINED_UNITS = 500_000
"""Limit on the activations of an explanation with `return_units`: 2 MB of the message."""

_WORD_EXPANSIONS = 100
"""Limit on the output rows of the search for the likeliest words at one position."""

_TEXT_EXPANSIONS = 2000
"""Limit for all positions of a text together. Ordinary text needs 2 to 5 rows per word."""

_RESERVED_EXPANSIONS = 4
"""Part of this limit that is reserved for each of the remaining words."""

_BASE_ENTRIES = 1000
"""Entries that a search may examine at one position, besides those allowed per output row."""

_SUMMARISED_TOGETHER = 8


class ExplanationKwargs(TypedDict, total=False):
    """The options of `ExplanationQuery` as keyword arguments."""

    without: str
    top_k: int
    return_units: bool
    count_eos: bool


@dataclass(frozen=True)
class ExplanationQuery:
    """A request to explain a text, which is read from its start.

    `without`: words of the text to leave out, for comparison. `top_k`: number of alternatives per
    word and token. `return_units`: also return the activations of all units. `count_eos`: include
    the end of the text. Raises `InvalidInput` for a `top_k` outside its limits.
    """

    text: str
    without: str = ""
    top_k: int = DEFAULT_TOP_K
    return_units: bool = False
    count_eos: bool = True

    def __post_init__(self) -> None:
        require_text(self.text, "text")
        require_text(self.without, "without")
        check_range("top_k", self.top_k, 0, MAX_SUGGESTIONS)


@dataclass(frozen=True, slots=True)
class ExplainedWord:
    """A word, or the end of a line or of the text, whose `text` is empty and `word` is `<eos>`.

    `text` is as sent, `word` in normal form. `surprisal` is minus the log-probability in nats, the
    sum over its tokens. `alternatives` are the likeliest words; `exact` is false if that was not
    proven. `log_prob_without` is the log-probability in the text without the words left out; None
    for words before them and for these words.
    """

    text: str
    word: str
    surprisal: float
    alternatives: tuple[ScoredWord, ...]
    exact: bool
    log_prob_without: float | None
    first_token: int
    token_count: int


@dataclass(frozen=True, slots=True)
class ExplainedToken:
    """A token as text (`Tokenizer.text_of`) with its surprisal in nats and the likeliest tokens.

    `layers` has the activations of each layer, from the lowest, in the step that reads the token.
    """

    text: str
    word_index: int
    surprisal: float
    alternatives: tuple[ScoredToken, ...]
    layers: tuple[LayerActivations, ...]


@dataclass(frozen=True)
class Explanation:
    """The words and tokens of a text, and the natural logarithm of its probability."""

    words: list[ExplainedWord]
    tokens: list[ExplainedToken]
    log_prob: float


@dataclass(frozen=True)
class _Reading:
    """The words of a text; per token, the context before it, its log-probability, its layers."""

    words: list[TextWord]
    tokens: list[int]
    contexts: list[HashedState]
    log_probs: list[float]
    layers: list[tuple[LayerActivations, ...]]

    @property
    def firsts(self) -> list[int]:
        """The index of the first token of each word."""
        return list(accumulate((len(word.tokens) for word in self.words[:-1]), initial=0))


def explain(
    language: Lexicon, store: StateStore, query: ExplanationQuery
) -> ModelTask[Explanation]:
    """Explain a text. `log_prob` is that of `scoring.score_texts` after an empty history.

    Raises `InvalidInput` naming `text`, `without` or `return_units` for a text above the limits,
    for words to leave out that do not occur, and for too many activations to return.
    """
    queries = CachedQueries(language.tokenizer, language.levels, store)
    run = queries.time_slice.run
    text = yield from run(read_text(language.tokenizer, query.text, count_eos=query.count_eos))
    rest = (yield from run(leave_out(text, query.without))) if query.without else None
    reading = yield from _read(queries, store, text, with_units=query.return_units)
    starts = [reading.contexts[first] for first in reading.firsts]
    without: dict[int, float] = {}
    if rest is not None:
        without = yield from _log_probs_after(starts[rest.start], text, rest)
    likely_tokens: list[tuple[ScoredToken, ...]] = [()] * len(reading.tokens)
    likely_words = [SearchResult()] * len(text)
    if query.top_k:
        likely_tokens = yield from likeliest_tokens(queries, reading.contexts, query.top_k)
        likely_words = yield from _likely_words(queries, language, starts, query.top_k)
    yield YIELD
    words = _explained_words(reading, likely_words, without)
    tokens = yield from run(_explaining_tokens(language, reading, likely_tokens))
    return Explanation(words, tokens, _total(reading.log_probs))


def _read(
    queries: CachedQueries, store: StateStore, words: list[TextWord], *, with_units: bool
) -> ModelTask[_Reading]:
    """Read a text token by token, and return its log-probabilities and activations."""
    tokens = list(chain.from_iterable(word.tokens for word in words))
    context = yield from read_words_context([], store)
    contexts: list[HashedState] = []
    layers: list[tuple[LayerActivations, ...]] = []
    pending: list[Activations] = []
    for token in tokens:
        contexts.append(context)
        [(state, values)] = yield StepActivations([(context.state, token)])
        queries.time_slice.restart()
        if with_units and not pending:
            _check_units(len(tokens) * values.size)
        context = HashedState(context.key_after([token]), state)
        pending.append(values)
        if len(pending) == _SUMMARISED_TOGETHER or len(contexts) == len(tokens):
            layers += summarise(pending, with_units=with_units)
            pending = []
    log_probs = yield TokenLogProbs(
        [(before.state, token) for before, token in zip(contexts, tokens, strict=True)]
    )
    queries.time_slice.restart()
    return _Reading(words, tokens, contexts, log_probs, layers)


def _check_units(count: int) -> None:
    if count > MAX_EXPLAINED_UNITS:
        problem = f"would return {count} activations; the limit is {MAX_EXPLAINED_UNITS}"
        raise InvalidInput("return_units", f"{problem}; send a shorter text")


def _log_probs_after(
    start: HashedState, words: Sequence[TextWord], rest: Remainder
) -> ModelTask[dict[int, float]]:
    """Return the log-probability of each remaining word after `start`, by its index."""
    tokens = [token for index in rest.indices for token in words[index].tokens]
    states: list[State] = [start.state]

    def put(key: bytes, state: State) -> State:
        states.append(state)
        return state

    if len(tokens) > 1:
        yield Prefill(start.state, tokens[:-1], dict.fromkeys(range(len(tokens) - 1), b""), put)
    log_probs = yield TokenLogProbs(list(zip(states, tokens, strict=True)))
    values = iter(log_probs)
    return {index: _total([next(values) for _ in words[index].tokens]) for index in rest.indices}


def _likely_words(
    queries: CachedQueries, language: Lexicon, starts: Sequence[HashedState], count: int
) -> ModelTask[list[SearchResult]]:
    """Return the likeliest words after each context, without words that are never suggested."""
    params = SearchParams(
        count,
        accepts=lambda word: word not in language.never_suggested,
        seen=language.seen.and_marks() if language.seen is not None else None,
        floor=math.log(MIN_PROBABILITY),
        base_entries=_BASE_ENTRIES,
        entries_after_last_row=_BASE_ENTRIES,
    )
    left = max(0, _TEXT_EXPANSIONS - _RESERVED_EXPANSIONS * len(starts))
    found: list[SearchResult] = []
    for start in starts:
        most = min(_WORD_EXPANSIONS, left + _RESERVED_EXPANSIONS)
        result = yield from likeliest_words(queries, start, replace(params, max_expansions=most))
        left -= max(0, result.expansions - _RESERVED_EXPANSIONS)
        found.append(result)
    return found


def _explained_words(
    reading: _Reading, likely: Sequence[SearchResult], without: dict[int, float]
) -> list[ExplainedWord]:
    explained = []
    for index, (word, first) in enumerate(zip(reading.words, reading.firsts, strict=True)):
        after = first + len(word.tokens)
        explained.append(
            ExplainedWord(
                word.text,
                word.word,
                0.0 - _total(reading.log_probs[first:after]),
                tuple(likely[index].words),
                likely[index].exact,
                without.get(index),
                first,
                len(word.tokens),
            )
        )
    return explained


def _explaining_tokens(
    language: Lexicon, reading: _Reading, likely: Sequence[tuple[ScoredToken, ...]]
) -> Steps[list[ExplainedToken]]:
    word_of = [index for index, word in enumerate(reading.words) for _ in word.tokens]
    explained = []
    for index, token in enumerate(reading.tokens):
        explained.append(
            ExplainedToken(
                language.tokenizer.text_of(token),
                word_of[index],
                0.0 - reading.log_probs[index],
                likely[index],
                reading.layers[index],
            )
        )
        yield
    return explained


def _total(log_probs: Sequence[float]) -> float:
    """Return the sum, added in order as `scoring.score` does."""
    total = 0.0
    for log_prob in log_probs:
        total += log_prob
    return total
