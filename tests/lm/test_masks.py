"""Training masks are suppressed where the model would continue them, and nowhere else."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from tests.fake_model import FakeModel
from tests.vocabularies import trained

from wordgate.decoding.generation import GenerationQuery, begin, next_word
from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query, predict
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.masks import Masks
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import NullStateStore

TOKENIZER = trained()
LEVELS = AdaptiveSoftmaxLayout((TOKENIZER.size,))
MASK = ("someone", "@", "example", ".", "com")
LANGUAGE = Lexicon(TOKENIZER, LEVELS, masks=Masks([MASK, ("5", "-", "0")]))


def _model(**following: str) -> FakeModel:
    """Return a bigram model of tokens that continues these texts with near certainty."""
    table = np.full((TOKENIZER.size + 1, TOKENIZER.size), 1e-6)
    for text in following.values():
        tokens = TOKENIZER.encode(text)
        for first, second in pairwise(tokens):
            table[first, second] += 1.0
    return FakeModel(LEVELS, table / table.sum(1, keepdims=True))


def _texts(model: FakeModel, history: str, prefix: str = "", **options: Any) -> list[str]:
    query = Query(history, prefix, Options(**options))
    found = run_to_completion(predict(LANGUAGE, NullStateStore(model.start), query), model)
    return [each.text.lower() for each in found.suggestions]


def test_a_word_is_left_out_where_the_rest_of_a_mask_is_likely() -> None:
    """The next likeliest word takes its place.

    Where another continuation is likely, the word stays.
    """
    address = _model(a="zat " + " ".join(MASK))
    assert "someone" not in _texts(address, "zat", max_suggestions=100, max_expansions=5000)
    plain = _model(a="zat someone sea")
    assert _texts(plain, "zat")[0] == "someone"


def test_masks_without_their_marks_are_masks() -> None:
    """A mask is also recognised in text without punctuation."""
    model = _model(a="zat someone example com")
    assert "someone" not in _texts(model, "zat", max_suggestions=100, max_expansions=5000)


@pytest.mark.parametrize(
    ("history", "word"), [("zat 5-", "0"), ("zat 5", "0"), ("zat someone example", "com")]
)
def test_behind_the_beginning_of_a_mask_its_next_word_is_never_suggested(
    history: str, word: str
) -> None:
    """The next word of a partly written mask is suppressed, however likely it is."""
    model = _model(a="zat 5 - 0", b="zat 5 0", c="someone example com")
    assert word not in _texts(model, history, max_suggestions=100)
    assert word in _texts(model, "sea", word, max_suggestions=100)


def test_phrases_do_not_go_on_with_a_mask() -> None:
    """Phrases end before a mask."""
    model = _model(a="sea to someone example com")
    found = _texts(model, "zat", "sea", max_phrase_words=4, min_phrase_probability=0.01)
    assert found
    assert not any("someone" in text for text in found)


def test_no_mask_is_generated() -> None:
    """A generated text has no mask at any temperature."""
    model = _model(a="zat " + " ".join(MASK))
    for temperature in (0.0, 1.0):
        for seed in range(8):
            query = GenerationQuery("zat", temperature=temperature, top_k=5)
            state = run_to_completion(
                begin(LANGUAGE, NullStateStore(model.start), query, seed), model
            )
            assert (
                run_to_completion(next_word(LANGUAGE, state), model).word.word.lower() != "someone"
            )


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ("", {"someone", "5"}),
        ("call 5", {"someone", "5", "-", "0"}),
        ("call 5-", {"someone", "5", "0"}),
        ("Someone @ EXAMPLE", {"someone", "5", "."}),
        ("xsomeone", {"someone", "5"}),
    ],
)
def test_what_may_be_the_next_word_of_a_mask(history: str, words: set[str]) -> None:
    """The first word may come anywhere, the others after the beginning of the mask in any case."""
    assert set(LANGUAGE.masks.rests_at(history)) == words


def test_without_masks_nothing_is_asked() -> None:
    """Most models have no masks, so no lookup is needed."""
    assert Masks().rests_at("someone @") == {}
