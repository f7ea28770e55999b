"""Text generation: sample a continuation word by word.

Each word is sampled from the exact k likeliest words (top-k sampling: Fan et al. 2018, arXiv
1805.04833), restricted to those with most of the probability (nucleus sampling: Holtzman et al.
2020, arXiv 1904.09751). `<eos>`, the end of the text, is one of the candidates.

Random numbers depend only on the seed and the word number, so a text is reproducible under any
load. Between two words a `GenerationState` holds all the state; its owner may drop it.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate
from typing import TypedDict

from wordgate.decoding.next_words import likeliest_words
from wordgate.decoding.options import MAX_EXPANSIONS, MAX_SUGGESTIONS, check_range, listed_words
from wordgate.decoding.prediction import splitting_typed
from wordgate.decoding.search import (
    DEFAULT_MAX_EXPANSIONS,
    ScoredWord,
    SearchParams,
    SearchResult,
)
from wordgate.errors import InvalidInput
from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.context_window import read
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.masks import begins_mask
from wordgate.lm.requests import ModelTask, Prefill, State, TimeSlice, TokenLogProbs
from wordgate.lm.state_store import NullStateStore, StateStore
from wordgate.lm.tokenizer import EOS
from wordgate.text.addresses import casing_in_address, ends_in_address
from wordgate.text.argument_types import require_texts
from wordgate.text.cooperative_steps import Steps, finish
from wordgate.text.detokenization import spacing
from wordgate.text.fullwidth import as_marked
from wordgate.text.normalization import normalise
from wordgate.text.sentences import begins_sentence

DEFAULT_MAX_WORDS = 50
DEFAULT_TOP_K = 40
MAX_GENERATED_WORDS = 1000
MAX_TEMPERATURE = 100
MAX_SEED = 2**64 - 1

_END = ""
"""Represents `<eos>` among words. No word is empty."""

_UNIFORM_BITS = 53


class FinishReason(Enum):
    """Why generation ended."""

    END_OF_TEXT = "end_of_text"
    STOP_WORD = "stop_word"
    MAX_WORDS = "max_words"
    NO_CANDIDATE = "no_candidate"


class GenerationKwargs(TypedDict, total=False):
    """The options of `GenerationQuery` as keyword arguments."""

    max_words: int
    temperature: float
    top_k: int
    top_p: float
    seed: int | None
    stop_words: Sequence[str]
    max_expansions: int


@dataclass(frozen=True)
class GenerationQuery:
    """A request to continue a text after `history`. Its first word begins with `prefix`.

    Each word is sampled from the `top_k` likeliest words. Their probabilities are raised to
    1 / `temperature`, then restricted to the fewest likeliest words whose joint share reaches
    `top_p`. Temperature 0 always takes the likeliest word. Without a `seed`, a random one is used.
    The text ends after `max_words` words, or earlier after one of the `stop_words` (words or
    phrases, in any letter case). Raises `InvalidInput`, naming the field, for a value outside its
    limits; `prepare` checks the stop words.
    """

    history: str
    prefix: str = ""
    max_words: int = DEFAULT_MAX_WORDS
    temperature: float = 1.0
    top_k: int = DEFAULT_TOP_K
    top_p: float = 1.0
    seed: int | None = None
    stop_words: Sequence[str] = ()
    max_expansions: int = DEFAULT_MAX_EXPANSIONS
    _stops: list[tuple[str, ...]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_range("max_words", self.max_words, 1, MAX_GENERATED_WORDS)
        check_range("temperature", self.temperature, 0, MAX_TEMPERATURE)
        check_range("top_k", self.top_k, 1, MAX_SUGGESTIONS)
        if not 0.0 < self.top_p <= 1.0:
            raise InvalidInput("top_p", f"is {self.top_p}; it must be above 0 and at most 1")
        if self.seed is not None:
            check_range("seed", self.seed, 0, MAX_SEED)
        check_range("max_expansions", self.max_expansions, 1, MAX_EXPANSIONS)
        require_texts(self.stop_words, "stop_words")

    def prepare(self) -> Steps[None]:
        """Normalise the stop words, once, in steps.

        Raises `InvalidInput` naming the first entry that has no words or too many.
        """
        for place, word in enumerate(self.stop_words[len(self._stops) :], len(self._stops)):
            self._stops.append(tuple(listed_words(word, f"stop_words[{place}]")))
            yield

    @cached_property
    def stops(self) -> frozenset[tuple[str, ...]]:
        """The words of each stop word or phrase, in normal form."""
        finish(self.prepare())
        return frozenset(self._stops)

    @cached_property
    def longest_stop(self) -> int:
        """Number of words of the longest stop phrase, 0 if there is none."""
        return max(map(len, self.stops), default=0)


@dataclass(frozen=True)
class GenerationState:
    """The text so far, and the model state before its last word.

    `unread` has the tokens of the last word. `typed` is the prefix of the first word. `number` is
    the number of words generated so far. `generated` has the last of them, as many as a stop phrase
    may begin with.
    """

    query: GenerationQuery
    seed: int
    text: str
    state: State
    unread: tuple[int, ...] = ()
    typed: str = ""
    number: int = 0
    generated: tuple[str, ...] = ()


@dataclass(frozen=True)
class GeneratedWord:
    """One generated word.

    `word` is truecased, and empty if the text ends without a word. `text` is `word` with the space
    before it, if it needs one. Append `text` to the history, in place of `prefix`, the typed prefix
    verbatim. `log_prob` is the natural logarithm of the model's probability, before temperature.
    `exact` is false if a search limit was reached before the candidates were proven to be the
    likeliest. `finish` is set on the last word.
    """

    word: str
    text: str
    prefix: str
    log_prob: float
    exact: bool
    expansions: int
    finish: FinishReason | None


@dataclass(frozen=True)
class GenerationStep:
    """A generated word and the state after it, or None after the last word."""

    word: GeneratedWord
    state: GenerationState | None


def begin(
    language: Lexicon, store: StateStore, query: GenerationQuery, seed: int
) -> ModelTask[GenerationState]:
    """Read the history by the history rule; return the initial state.

    Raises `InvalidInput` naming `history` or `prefix` for text that is not Unicode, and for the
    same reasons as `GenerationQuery.prepare`.
    """
    time_slice = TimeSlice()
    yield from time_slice.run(query.prepare())
    complete, typed = yield from time_slice.run(splitting_typed(query.prefix, "prefix"))
    text = f"{query.history} {complete}" if complete.strip() else query.history
    state = yield from read(language.tokenizer, text, store)
    return GenerationState(query, seed, text, state, typed=typed)


def next_word(language: Lexicon, state: GenerationState) -> ModelTask[GenerationStep]:
    """Sample the next word. Deterministic for a given state."""
    network_state = state.state
    if state.unread:
        [network_state] = yield Prefill(network_state, state.unread)
    found = yield from _likeliest(language, network_state, state)
    drawn = draw(found.words, state.query, uniform(state.seed, state.number))
    if drawn is None:
        none = GeneratedWord(
            "", "", "", 0.0, found.exact, found.expansions, FinishReason.NO_CANDIDATE
        )
        return GenerationStep(none, None)
    word = yield from TimeSlice().run(_written(language, state, drawn, found))
    if word.finish is not None:
        return GenerationStep(word, None)
    return GenerationStep(
        word,
        GenerationState(
            query=state.query,
            seed=state.seed,
            text=state.text + word.text,
            state=network_state,
            unread=language.tokenizer.encode_word(drawn.word),
            number=state.number + 1,
            generated=_last((*state.generated, drawn.word), state.query.longest_stop - 1),
        ),
    )


def draw(
    likeliest: Sequence[ScoredWord], query: GenerationQuery, number: float
) -> ScoredWord | None:
    """Return the candidate that `number`, in [0, 1), selects, or None if there is none."""
    if not likeliest:
        return None
    if query.temperature == 0:
        return likeliest[0]
    reached = list(accumulate(_weights(likeliest, query.temperature)))
    last = bisect_left(reached, query.top_p * reached[-1])
    return likeliest[min(last, bisect_right(reached, number * reached[last]))]


def uniform(seed: int, number: int) -> float:
    """Return the random number in [0, 1) for word `number` (from 0) of a text.

    It is the upper 53 bits of a 64-bit BLAKE2b digest, divided by 2**53. The message is the seed
    and the number as 8 bytes each. All integers are little-endian.
    """
    message = seed.to_bytes(8, "little") + number.to_bytes(8, "little")
    bits = int.from_bytes(blake2b(message, digest_size=8).digest(), "little")
    return (bits >> (64 - _UNIFORM_BITS)) / (1 << _UNIFORM_BITS)


def _likeliest(
    language: Lexicon, network_state: State, state: GenerationState
) -> ModelTask[SearchResult]:
    """Return the candidates for the next word, including the end of the text.

    The end of the text is not a candidate while the first word has a typed prefix.
    """
    count = state.query.top_k if state.query.temperature else 1
    never = language.never_after(language.never_phrases.words_before(state.text))
    left_out: set[str] = set()
    params = SearchParams(
        count=count,
        prefix=normalise(state.typed).encode("utf-8"),
        accepts=lambda word: (
            not (word in language.never_suggested or word in never or word in left_out)
        ),
        max_expansions=state.query.max_expansions,
    )
    found = yield from _without_masks(language, network_state, state.text, params, left_out)
    if state.typed:
        return found
    [end] = yield TokenLogProbs([(network_state, EOS)])
    merged = sorted([ScoredWord(_END, end), *found.words], key=lambda word: -word.log_prob)
    return SearchResult(merged[:count], found.exact, found.expansions)


def _without_masks(
    language: Lexicon, state: State, text: str, params: SearchParams, left_out: set[str]
) -> ModelTask[SearchResult]:
    """Search, and repeat the search without words that begin a training mask here.

    Those words are added to `left_out`, which the search does not accept.
    """
    queries = CachedQueries(language.tokenizer, language.levels, NullStateStore(state))
    start, rests = HashedState(b"", state), dict(language.masks.rests_at(text))
    while True:
        found = yield from likeliest_words(queries, start, params)
        known = len(left_out)
        for each in found.words:
            rest = rests.pop(each.word, ())
            if rest and (yield from begins_mask(queries, start, each.word, rest)):
                left_out.add(each.word)
        if len(left_out) == known:
            return found


def _weights(likeliest: Sequence[ScoredWord], temperature: float) -> list[float]:
    """Return the probabilities raised to 1 / temperature, scaled so that the largest is 1."""
    best = likeliest[0].log_prob
    return [math.exp((found.log_prob - best) / temperature) for found in likeliest]


def _finish(state: GenerationState, drawn: ScoredWord) -> FinishReason | None:
    if drawn.word == _END:
        return FinishReason.END_OF_TEXT
    generated = (*state.generated, drawn.word)
    if any(generated[-length:] in state.query.stops for length in range(1, len(generated) + 1)):
        return FinishReason.STOP_WORD
    return FinishReason.MAX_WORDS if state.number + 1 == state.query.max_words else None


def _written(
    language: Lexicon, state: GenerationState, drawn: ScoredWord, found: SearchResult
) -> Steps[GeneratedWord]:
    """Return the sampled word as written after the text so far: spaced and truecased."""
    written = space = ""
    if drawn.word != _END:
        space = "" if state.typed else (yield from spacing(state.text, drawn.word))
        written = _form(language, state.text + space, drawn.word)
    return GeneratedWord(
        word=written,
        text=space + written,
        prefix=state.typed,
        log_prob=drawn.log_prob,
        exact=found.exact,
        expansions=found.expansions,
        finish=_finish(state, drawn),
    )


def _form(language: Lexicon, before: str, word: str) -> str:
    """Return the written form of a word after a text. It is lower case inside an address."""
    if ends_in_address(before):
        return casing_in_address(before, word)
    return language.write(
        word, begins_sentence(before), language.written.get(word) or as_marked(before, word)
    )


def _last(generated: tuple[str, ...], count: int) -> tuple[str, ...]:
    return generated[max(0, len(generated) - count) :]
