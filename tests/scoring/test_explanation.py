"""Explanations of texts, on a fake model whose probabilities are known."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fake_model import FakeModel
from tests.vocabularies import trained

from wordgate.decoding.next_words import likeliest_words
from wordgate.decoding.search import SearchParams
from wordgate.errors import InvalidInput
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.cached_queries import CachedQueries, HashedState
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import run_to_completion
from wordgate.lm.state_store import NullStateStore
from wordgate.lm.tokenizer import EOS
from wordgate.scoring import explanation
from wordgate.scoring.activations import summarise
from wordgate.scoring.explanation import Explanation, ExplanationQuery, explain
from wordgate.scoring.scoring import score_texts

TOKENIZER = trained()
LEVELS = AdaptiveSoftmaxLayout((200, 400, TOKENIZER.size))
LANGUAGE = Lexicon(TOKENIZER, LEVELS)
MODEL = FakeModel.random(LEVELS, seed=5)
STORE = NullStateStore(MODEL.start)
TEXT = "The sun is in the sea, 今 🦆."


def _explain(text: str = TEXT, language: Lexicon = LANGUAGE, **options: object) -> Explanation:
    query = ExplanationQuery(text, **options)  # type: ignore[arg-type]
    return run_to_completion(explain(language, STORE, query), MODEL)


@given(st.text("abest 今🦆.", max_size=40).map(lambda text: f"{text} a"), st.booleans())
def test_the_sum_is_the_score_of_the_text(text: str, count_eos: bool) -> None:
    """Bit for bit; surprisals of words and tokens add up to it."""
    found = _explain(text, top_k=0, count_eos=count_eos)
    [scored] = run_to_completion(score_texts(LANGUAGE, STORE, "", [text], count_eos), MODEL)
    assert found.log_prob == scored.log_prob
    assert sum(word.surprisal for word in found.words) == pytest.approx(-scored.log_prob)
    assert sum(token.surprisal for token in found.tokens) == pytest.approx(-scored.log_prob)
    assert len(found.words) == scored.word_count + count_eos
    assert len(found.tokens) == scored.token_count + count_eos


def test_each_token_has_its_surprisal_and_layers() -> None:
    """A token's surprisal is after the tokens before it; its activations are of its own step."""
    found = _explain(top_k=0)
    tokens = [*TOKENIZER.encode(TEXT), EOS]
    state = EOS
    for token, each in zip(tokens, found.tokens, strict=True):
        assert each.text == TOKENIZER.text_of(token)
        assert each.surprisal == -MODEL.log_prob(state, token)
        [layers] = summarise([MODEL.activations(token)], with_units=False)
        assert each.layers == layers
        state = token


def test_words_say_which_tokens_are_theirs() -> None:
    """The tokens of a word begin at `first_token`, and refer to the word."""
    found = _explain()
    for index, word in enumerate(found.words):
        mine = found.tokens[word.first_token : word.first_token + word.token_count]
        assert {token.word_index for token in mine} == {index}
        assert word.surprisal == pytest.approx(sum(token.surprisal for token in mine))
    assert sum(word.token_count for word in found.words) == len(found.tokens)
    assert [word.text for word in found.words[:3]] == ["The", "sun", "is"]


def test_an_end_of_line_is_read_as_the_end_of_a_text() -> None:
    """Its surprisal is that of `<eos>`, and the next line follows it."""
    found = _explain("the sun\nthe sea", top_k=0)
    sun, the = TOKENIZER.encode_word("sun")[-1], TOKENIZER.encode_word("the")
    end, first = found.words[2], found.words[3]
    assert (end.text, end.word, end.surprisal) == ("", "<eos>", -MODEL.log_prob(sun, EOS))
    assert first.surprisal == pytest.approx(-_chain(EOS, the))


def _chain(state: int, tokens: tuple[int, ...]) -> float:
    total = 0.0
    for token in tokens:
        total += MODEL.log_prob(state, token)
        state = token
    return total


def test_alternatives_are_those_of_the_search() -> None:
    """The likeliest words after the text so far, likeliest first, proven."""
    found = _explain("the sun", top_k=3)
    queries = CachedQueries(TOKENIZER, LEVELS, STORE)
    after_the = HashedState(b"", TOKENIZER.encode_word("the")[-1])
    searched = run_to_completion(likeliest_words(queries, after_the, SearchParams(3)), MODEL)
    assert found.words[1].alternatives == tuple(searched.words)
    assert found.words[1].exact
    assert all(len(token.alternatives) == 3 for token in found.tokens)


def test_never_suggested_words_are_no_alternatives() -> None:
    """They are left out, and further words take their places."""
    first = _explain("a", top_k=1).words[0].alternatives[0].word
    language = replace(LANGUAGE, never_suggested=frozenset({first}))
    [other] = _explain("a", language, top_k=1).words[0].alternatives
    assert other.word != first


@pytest.mark.parametrize("limit", ["_WORD_EXPANSIONS", "_TEXT_EXPANSIONS"])
def test_a_search_at_its_limit_is_not_exact(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """Then the words found so far are returned."""
    monkeypatch.setattr(explanation, "_RESERVED_EXPANSIONS", 1)
    monkeypatch.setattr(explanation, limit, 1)
    words = _explain(TEXT, top_k=20).words
    assert not all(word.exact for word in words)
    assert all(word.alternatives for word in words)


def test_without_alternatives_no_output_row_is_requested() -> None:
    """`top_k` 0 returns no alternatives, which takes a step and a log-probability per token."""
    model = FakeModel(LEVELS, MODEL.probabilities)
    run_to_completion(explain(LANGUAGE, STORE, ExplanationQuery(TEXT, top_k=0)), model)
    tokens = len(TOKENIZER.encode(TEXT)) + 1
    assert model.calls == {"Step": 1, "StepActivations": tokens, "TokenLogProbs": 1}


def test_later_words_are_scored_without_a_clue() -> None:
    """Their log-probabilities are those in the text that lacks the words."""
    found = _explain("in the sea the sun is", without="the sea", top_k=0)
    shorter = _explain("in the sun is", top_k=0)
    assert [word.log_prob_without for word in found.words[:3]] == [None] * 3
    assert [word.log_prob_without for word in found.words[3:]] == [
        pytest.approx(-word.surprisal) for word in shorter.words[1:]
    ]


@pytest.mark.parametrize(
    ("text", "without", "rest"),
    [
        ("the sun\nthe sea\na", "the sea", "the sun\na"),
        ("the sun\nthe sea", "the sea", "the sun"),
        ("the sun\nthe sea", "the sun", "the sea"),
        ("the sun the sea", "the", "sun the sea"),
    ],
)
def test_left_out_lines(text: str, without: str, rest: str) -> None:
    """The remaining words have the log-probabilities of the text that is left."""
    found = _explain(text, without=without, top_k=0)
    left = [each.log_prob_without for each in found.words if each.log_prob_without is not None]
    alone = [-word.surprisal for word in _explain(rest, top_k=0).words]
    assert left == [pytest.approx(value) for value in alone[len(alone) - len(left) :]]
    assert left


def test_units_are_returned_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the limit on all activations of the answer."""
    found = _explain("the sun", return_units=True, top_k=0)
    [first, *_] = found.tokens
    units = first.layers[1].units
    assert units is not None
    values = MODEL.activations(TOKENIZER.encode_word("the")[0])
    assert units.forget.tolist() == values[1, 1].tolist()
    tokens = len(found.tokens)
    monkeypatch.setattr(explanation, "MAX_EXPLAINED_UNITS", tokens * 30)
    _explain("the sun", return_units=True, top_k=0)
    monkeypatch.setattr(explanation, "MAX_EXPLAINED_UNITS", tokens * 30 - 1)
    with pytest.raises(InvalidInput, match=f"return_units: would return {tokens * 30} activ"):
        _explain("the sun", return_units=True, top_k=0)


@pytest.mark.parametrize("top_k", [-1, 101])
def test_the_number_of_alternatives_is_limited(top_k: int) -> None:
    """0 to 100."""
    with pytest.raises(InvalidInput, match="top_k"):
        ExplanationQuery("a", top_k=top_k)


def test_probabilities_of_alternatives_are_below_one() -> None:
    """The probabilities of all alternatives at one position sum to at most 1."""
    for word in _explain(top_k=20).words:
        assert math.fsum(math.exp(each.log_prob) for each in word.alternatives) <= 1 + 1e-6
