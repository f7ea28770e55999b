"""Models so small that tests can enumerate every word.

The vocabulary is `vocabularies.tiny`, and words have at most three tokens.
"""

import itertools
from dataclasses import dataclass
from functools import partial

from hypothesis import strategies as st
from tests.fake_model import FakeModel
from tests.vocabularies import tiny

from wordgate.decoding.next_words import likeliest_words
from wordgate.decoding.search import ScoredWord, SearchParams, SearchResult
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.requests import ModelTask, run_to_completion
from wordgate.lm.state_store import NullStateStore
from wordgate.lm.tokenizer import Tokenizer

TOKENIZER = tiny()
LONGEST = 3

tiny_search = partial(SearchParams, max_tokens=LONGEST)
"""Parameters of a search for the words that the tests enumerate."""


def _canonical() -> list[tuple[str, tuple[int, ...]]]:
    """Return every canonical sequence of up to three tokens, with its word."""
    inner = [p for p in range(1, TOKENIZER.size) if not TOKENIZER.ends_word[p]]
    last = [p for p in range(1, TOKENIZER.size) if TOKENIZER.ends_word[p]]
    candidates = (
        sequence
        for length in range(1, LONGEST + 1)
        for sequence in itertools.product(*[inner] * (length - 1), last)
    )
    named = ((TOKENIZER.canonical_word(sequence), sequence) for sequence in candidates)
    return [(word, sequence) for word, sequence in named if word is not None]


CANONICAL = _canonical()


def words_found(
    tokenizer: Tokenizer, levels: AdaptiveSoftmaxLayout, start: int, params: SearchParams
) -> ModelTask[SearchResult]:
    """Run a search without a cache."""
    queries = CachedQueries(tokenizer, levels, NullStateStore(start))
    return likeliest_words(queries, HashedState(b"", start), params)


@dataclass(frozen=True)
class Case:
    """A random model and a start state."""

    model: FakeModel
    start: int

    @property
    def context(self) -> HashedState:
        """The context of the words."""
        return HashedState(b"", self.start)

    @property
    def queries(self) -> CachedQueries:
        """The queries of a task without a cache."""
        return CachedQueries(TOKENIZER, self.model.levels, NullStateStore(self.start))

    def enumerate(self, prefix: str = "") -> list[ScoredWord]:
        """Return all words with this prefix, likeliest first."""
        words = [
            ScoredWord(word, self.log_prob(sequence))
            for word, sequence in CANONICAL
            if word.startswith(prefix)
        ]
        return sorted(words, key=lambda found: -found.log_prob)

    def search(self, params: SearchParams) -> SearchResult:
        """Run the search."""
        return run_to_completion(likeliest_words(self.queries, self.context, params), self.model)

    def log_probs(self) -> dict[str, float]:
        """Return the log-probabilities of all words."""
        return {word: self.log_prob(sequence) for word, sequence in CANONICAL}

    def log_prob(self, sequence: tuple[int, ...]) -> float:
        """Return the log-probability of tokens after the start state."""
        total, state = 0.0, self.start
        for token in sequence:
            total += self.model.log_prob(state, token)
            state = token
        return total


cutoffs = st.sets(st.integers(1, TOKENIZER.size - 1), max_size=3).map(
    lambda found: AdaptiveSoftmaxLayout((*sorted(found), TOKENIZER.size))
)
cases = st.builds(
    lambda levels, seed, spread, start: Case(FakeModel.random(levels, seed, spread), start),
    cutoffs,
    st.integers(0, 10_000),
    st.sampled_from([0.3, 1.0, 3.0]),
    st.integers(-1, TOKENIZER.size - 1),
)
prefixes = st.sampled_from(["", "a", "b", "ab", "aab", "é", "éa", "aé", ".", "bab", "x", "aaaa"])
