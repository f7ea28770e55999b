"""Text generation with fake models of known probabilities."""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fake_model import FakeModel
from tests.vocabularies import trained

from wordgate.decoding.generation import (
    MAX_SEED,
    FinishReason,
    GeneratedWord,
    GenerationQuery,
    GenerationState,
    begin,
    draw,
    next_word,
    uniform,
)
from wordgate.decoding.search import ScoredWord
from wordgate.errors import InvalidInput
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import NullStateStore
from wordgate.lm.tokenizer import EOS, Tokenizer
from wordgate.scoring.scoring import score_texts

LETTERS = Tokenizer.from_merges(
    [*"abi.", *(f"{letter}</w>" for letter in "abi."), "ab</w>"], [("a", "b</w>")]
)
"""Words are a, b, i, a full stop, ab, and other combinations of four characters."""

NAMES = {"<eos>": EOS} | {word: LETTERS.encode_word(word)[0] for word in ("a", "b", "i", ".", "ab")}
LEVELS = AdaptiveSoftmaxLayout((LETTERS.size - 2, LETTERS.size))
LANGUAGE = Lexicon(LETTERS, LEVELS, written={"i": "I"})

TOKENIZER = trained()
RICH_LEVELS = AdaptiveSoftmaxLayout((200, 400, TOKENIZER.size))
RICH = Lexicon(TOKENIZER, RICH_LEVELS, never_suggested={"cabinet", "sea"})
RICH_MODEL = FakeModel.random(RICH_LEVELS, seed=11, spread=2.0)


def model_of(**rows: dict[str, float]) -> FakeModel:
    """Return a bigram model of these words; after any other word it uses row `other`.

    The rest of a row's probability goes to tokens that do not end a word.
    """
    table = np.zeros((LETTERS.size + 1, LETTERS.size))
    for name, row in {"other": rows["other"], **rows}.items():
        values = np.zeros(LETTERS.size)
        for word, probability in row.items():
            values[NAMES[word]] = probability
        values[1:5] += (1 - values.sum()) / 4
        table[slice(None) if name == "other" else NAMES[name]] = values
    return FakeModel(LEVELS, table)


HALVES = model_of(other={"a": 0.4, "b": 0.2, "<eos>": 0.1, "ab": 0.1, ".": 0.08})


def written(model: FakeModel, language: Lexicon = LANGUAGE, **options: Any) -> list[GeneratedWord]:
    """Generate all words of a text."""
    wanted: dict[str, Any] = {"history": "", "seed": 0} | options
    query = GenerationQuery(**wanted)
    return list(_words(model, language, query))


def _words(model: FakeModel, language: Lexicon, query: GenerationQuery) -> Iterator[GeneratedWord]:
    assert query.seed is not None
    asks = begin(language, NullStateStore(model.start), query, query.seed)
    state: GenerationState | None = run_to_completion(asks, model)
    while state is not None:
        made = run_to_completion(next_word(language, state), model)
        yield made.word
        state = made.state


def text_of(found: list[GeneratedWord]) -> str:
    """Generate a text and return it as one string."""
    return "".join(word.text for word in found)


def test_the_likeliest_word_is_taken_every_time() -> None:
    """With `top_k` 1 or temperature 0, a text follows the likeliest words."""
    model = model_of(
        other={"i": 0.6, "a": 0.3}, i={"ab": 0.5, "a": 0.4}, ab={".": 0.7}, **{".": {"<eos>": 0.9}}
    )
    for seed in range(5):
        greedy = written(model, top_k=1, seed=seed)
        assert text_of(greedy) == "I ab."
        assert written(model, temperature=0.0, seed=seed) == greedy
        assert greedy[-1].finish is FinishReason.END_OF_TEXT
        gains = [math.log(p) for p in (0.6, 0.5, 0.7, 0.9)]
        assert [word.log_prob for word in greedy] == pytest.approx(gains)


def _drawn(count: int, **options: Any) -> Counter[str]:
    """Return the first words for this many seeds."""
    found = (written(HALVES, seed=seed, max_words=1, **options)[0] for seed in range(count))
    return Counter(word.word.lower() for word in found)


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"top_k": 1}, {"a"}),
        ({"top_k": 2}, {"a", "b"}),
        ({"top_k": 4}, {"a", "b", "", "ab"}),
        ({"top_p": 0.001}, {"a"}),
        ({"top_k": 2, "top_p": 0.66}, {"a"}),
        ({"top_k": 2, "top_p": 0.67}, {"a", "b"}),
        ({"top_k": 3, "top_p": 0.8}, {"a", "b"}),
        ({"top_k": 3, "top_p": 0.9}, {"a", "b", ""}),
        ({"top_k": 2, "temperature": 0.5, "top_p": 0.79}, {"a"}),
        ({"top_k": 2, "temperature": 0.5, "top_p": 0.81}, {"a", "b"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
def test_words_are_drawn_from_the_likeliest_alone(
    options: dict[str, float], kept: set[str]
) -> None:
    """Candidates are the `top_k` likeliest, then the fewest whose share reaches `top_p`."""
    assert set(_drawn(200, **options)) == kept


@pytest.mark.parametrize(
    ("options", "shares"),
    [
        ({"top_k": 4}, {"a": 4 / 8, "b": 2 / 8, "": 1 / 8, "ab": 1 / 8}),
        ({"top_k": 3, "temperature": 0.5}, {"a": 16 / 21, "b": 4 / 21, "": 1 / 21}),
        ({"top_k": 2, "temperature": 2.0}, {"a": 2**0.5 / (1 + 2**0.5), "b": 1 / (1 + 2**0.5)}),
        ({"top_k": 4, "top_p": 0.75}, {"a": 2 / 3, "b": 1 / 3}),
    ],
    ids=str,
)
def test_words_come_as_often_as_they_should(
    options: dict[str, float], shares: dict[str, float]
) -> None:
    """Over many seeds, each frequency is within five standard deviations of its probability."""
    count = 2000
    drawn = _drawn(count, **options)
    assert set(drawn) == set(shares)
    for word, share in shares.items():
        assert abs(drawn[word] - count * share) < 5 * math.sqrt(count * share * (1 - share))


def test_the_random_numbers_are_those_that_are_documented() -> None:
    """Random numbers are reproducible: the upper 53 bits of a BLAKE2b of seed and word number."""
    assert [uniform(0, 0), uniform(0, 1), uniform(MAX_SEED, 999)] == [
        0.0564663990004608,
        0.44008326622012284,
        0.16866609444923908,
    ]


@given(
    st.lists(st.floats(-50, 0), min_size=1, max_size=100),
    st.floats(0, 100),
    st.floats(0, 1, exclude_min=True),
    st.floats(0, 1, exclude_max=True),
)
def test_a_draw_is_one_of_the_likeliest(
    log_probs: list[float], temperature: float, top_p: float, number: float
) -> None:
    """Rounding never selects a word outside the candidates.

    A larger number never selects an earlier word.
    """
    found = [ScoredWord(str(n), p) for n, p in enumerate(sorted(log_probs, reverse=True))]
    query = GenerationQuery("", temperature=temperature, top_p=top_p)
    drawn = draw(found, query, number)
    later = draw(found, query, (1 + number) / 2)
    assert drawn in found
    assert later in found
    assert found.index(drawn) <= found.index(later)
    assert draw(found, query, 0.0) == found[0]


def test_the_same_seed_gives_the_same_text() -> None:
    """A text is a function of its query. Other seeds give other texts."""
    texts = [written(RICH_MODEL, RICH, seed=seed, max_words=12) for seed in range(8)]
    assert texts == [written(RICH_MODEL, RICH, seed=seed, max_words=12) for seed in range(8)]
    assert len({text_of(found) for found in texts}) == 8
    longer = written(RICH_MODEL, RICH, seed=3, max_words=30)
    assert [w.text for w in longer[: len(texts[3])]] == [w.text for w in texts[3]]


def test_a_text_ends_after_as_many_words() -> None:
    """The last word has the finish reason, and nothing is read after it."""
    endless = model_of(other={"a": 0.9})
    found = written(endless, top_k=1, max_words=3)
    assert [word.finish for word in found] == [None, None, FinishReason.MAX_WORDS]
    assert endless.calls["Step"] == 1 + 2, "the end of text that begins, and two of the words"


@pytest.mark.parametrize("stop", [".", "AB", "\uff21\uff22", " ab "])
def test_a_stop_word_ends_a_text_and_belongs_to_it(stop: str) -> None:
    """Stop words are compared in normal form, including marks."""
    model = model_of(other={"a": 0.6}, a={"ab": 0.6}, ab={".": 0.6})
    found = written(model, top_k=1, stop_words=["zzz", stop])
    assert text_of(found) == ("A ab." if stop == "." else "A ab")
    assert found[-1].finish is FinishReason.STOP_WORD


@pytest.mark.parametrize("stop", ["ab. A", "a ab.", "ab ."])
def test_a_stop_phrase_ends_a_text_where_it_is_complete(stop: str) -> None:
    """All of its words must have been generated, one after the other."""
    model = model_of(other={"a": 0.6}, a={"ab": 0.6}, ab={".": 0.6})
    found = written(model, history="a", top_k=1, stop_words=[stop, "b a"])
    assert found[-1].finish is FinishReason.STOP_WORD
    assert text_of(found) == {"ab. A": " ab. A", "a ab.": " ab. A ab.", "ab .": " ab."}[stop]


def test_a_phrase_that_is_never_suggested_is_not_completed() -> None:
    """Its last word is suppressed after the others, but allowed elsewhere."""
    model = model_of(other={"a": 0.6, "b": 0.3}, a={"ab": 0.6, "b": 0.3})
    language = Lexicon(LETTERS, LEVELS, never_suggested={"a ab"})
    assert text_of(written(model, language, top_k=1, max_words=4)) == "A b a b"
    assert text_of(written(model, language, history="a", top_k=1, max_words=2)) == " b a"


def test_the_end_of_a_text_is_drawn_like_a_word() -> None:
    """The end has its own probability and no text."""
    model = model_of(other={"<eos>": 0.5, "a": 0.4})
    [end] = written(model, top_k=1)
    assert (end.word, end.text, end.finish) == ("", "", FinishReason.END_OF_TEXT)
    assert end.log_prob == pytest.approx(math.log(0.5))


def test_some_words_are_never_written() -> None:
    """Never-suggested words are not generated, however likely. Stop words may be."""
    model = model_of(other={"a": 0.6, "b": 0.3})
    language = Lexicon(LETTERS, LEVELS, never_suggested={"a"})
    assert text_of(written(model, language, top_k=1, max_words=2)) == "B b"
    texts = [written(RICH_MODEL, RICH, seed=seed, top_k=60) for seed in range(2)]
    assert not {"cabinet", "sea"} & {word.word.lower() for found in texts for word in found}


def test_the_first_word_goes_on_with_what_was_typed() -> None:
    """The first word begins with the prefix and replaces it. The text does not end before it."""
    model = model_of(other={"<eos>": 0.6, "b": 0.2, "ab": 0.1})
    first, second = written(model, history="b ", prefix="A", top_k=2, temperature=0, max_words=2)
    assert (first.prefix, first.text, first.word) == ("A", "ab", "ab")
    assert first.log_prob == pytest.approx(math.log(0.1)), "not conditioned on the prefix"
    assert second.finish is FinishReason.END_OF_TEXT
    hyphened = written(RICH_MODEL, RICH, history="the", prefix="well-kn", max_words=1)
    assert hyphened == written(RICH_MODEL, RICH, history="the well -", prefix="kn", max_words=1)
    assert hyphened[0].word.startswith("kn")


def test_a_prefix_that_is_not_found_ends_the_text() -> None:
    """If the search reaches its limit without a word, the text ends and is not exact."""
    [none] = written(RICH_MODEL, RICH, prefix="qqqqqqqqqq", max_expansions=1)
    assert (none.word, none.finish, none.exact) == ("", FinishReason.NO_CANDIDATE, False)
    assert none.prefix == "", "what was typed stays"


def test_a_text_is_written_as_people_write_it() -> None:
    """Sentences are capitalised, and marks attach to the word before them."""
    model = model_of(other={"a": 0.6}, a={"i": 0.6}, i={".": 0.6}, **{".": {"ab": 0.6}})
    text = text_of(written(model, top_k=1, max_words=7))
    assert text == "A I. Ab a I."
    assert written(model, history="b", top_k=1)[0].text == " a"
    assert written(model, history="b ", top_k=1)[0].text == "a"


@pytest.mark.parametrize("seed", range(6))
def test_the_words_of_a_text_have_its_probability(seed: int) -> None:
    """Log-probabilities add up to the score of the text and, if it was generated, its end."""
    found = written(RICH_MODEL, RICH, history="the sun", seed=seed, temperature=1.5)
    ended = found[-1].finish is FinishReason.END_OF_TEXT
    asks = score_texts(RICH, NullStateStore(RICH_MODEL.start), "the sun", [text_of(found)], ended)
    [scored] = run_to_completion(asks, RICH_MODEL)
    assert sum(word.log_prob for word in found) == pytest.approx(scored.log_prob, abs=1e-9)
    assert scored.word_count == len(list(takewhile(lambda word: word.word, found)))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"max_words": 0}, "max_words"),
        ({"max_words": 1001}, "max_words"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": 101}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_p": math.nan}, "top_p"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"max_expansions": 0}, "max_expansions"),
        ({"stop_words": ["a", ""]}, "stop_words[1]"),
        ({"stop_words": ["many words " * 9]}, "stop_words[0]"),
        ({"stop_words": ["\ud800"]}, "stop_words[0]"),
        ({"history": "\ud800"}, "history"),
        ({"prefix": "\ud800"}, "prefix"),
    ],
    ids=str,
)
def test_values_outside_their_limits_are_named(options: dict[str, Any], field: str) -> None:
    """The error names the invalid field."""
    with pytest.raises(InvalidInput) as refused:
        written(HALVES, **options)
    assert refused.value.field == field
