"""Scoring of candidates over their prefix tree."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fake_model import FakeModel
from tests.vocabularies import trained

from wordgate.errors import InvalidInput
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.context_window import read_context
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import ModelRequest, Step, TokenLogProbs, run_to_completion
from wordgate.lm.state_store import NullStateStore
from wordgate.lm.tokenizer import EOS
from wordgate.scoring.prefix_tree import ROOT, PrefixTree
from wordgate.scoring.scoring import (
    MAX_CANDIDATE_TOKENS,
    Candidate,
    posteriors,
    score,
    score_texts,
)
from wordgate.text import words
from wordgate.text.normalization import normalise

LEVELS = AdaptiveSoftmaxLayout((4, 7, 12))
sequences = st.lists(st.lists(st.integers(0, 11), max_size=6), min_size=1, max_size=12)
TEXT_LEVELS = AdaptiveSoftmaxLayout((200, 400, trained().size))
LANGUAGE = Lexicon(trained(), TEXT_LEVELS)
MODEL = FakeModel.random(TEXT_LEVELS, seed=5)


class Recording(FakeModel):
    """A fake model that records its requests."""

    asked: list[ModelRequest]

    def answer(self, request: ModelRequest) -> list[Any]:
        """Record the requests and answer like the fake model."""
        self.asked.append(request)
        return super().answer(request)


def _recording(seed: int) -> Recording:
    model = Recording(LEVELS, FakeModel.random(LEVELS, seed).probabilities)
    model.asked = []
    return model


def _chain_rule(model: FakeModel, state: int, tokens: Sequence[int]) -> float:
    total = 0.0
    for token in tokens:
        total += model.log_prob(state, token)
        state = token
    return total


@given(sequences, st.integers(0, 99))
def test_scores_are_the_chain_rule_bit_for_bit(candidates: list[list[int]], seed: int) -> None:
    """Results are bit-identical to scoring each candidate alone."""
    model = FakeModel.random(LEVELS, seed)
    found = run_to_completion(score(candidates, 3, LEVELS), model)
    assert found == [_chain_rule(model, 3, candidate) for candidate in candidates]
    assert found == [run_to_completion(score([candidate], 3), model)[0] for candidate in candidates]


@given(st.lists(st.text("abest 今.", max_size=12), min_size=1, max_size=5), st.booleans())
def test_scores_of_words_are_the_chain_rule(candidates: list[str], count_eos: bool) -> None:
    """Each word has the probability of its tokens after those before it."""
    store = NullStateStore(MODEL.start)
    scored = run_to_completion(
        score_texts(LANGUAGE, store, "", candidates, count_eos, return_words=True), MODEL
    )
    plain = run_to_completion(score_texts(LANGUAGE, store, "", candidates, count_eos), MODEL)
    start = run_to_completion(read_context(LANGUAGE.tokenizer, "", store), MODEL).state
    for candidate, text, alone in zip(scored, candidates, plain, strict=True):
        assert replace(candidate, words=(), eos_log_prob=0.0) == alone
        state = start
        names = words.split(normalise(text))
        assert [each.word for each in candidate.words] == names
        for each in candidate.words:
            tokens = LANGUAGE.tokenizer.encode_word(each.word)
            assert each.log_prob == pytest.approx(_chain_rule(MODEL, state, tokens))
            state = tokens[-1]
        eos = MODEL.log_prob(state, EOS) if count_eos else 0.0
        assert candidate.eos_log_prob == pytest.approx(eos)


@given(sequences)
def test_every_node_is_computed_once(candidates: list[list[int]]) -> None:
    """There is one log-probability per node, and one step per node with children."""
    model = _recording(1)
    run_to_completion(score(candidates, 3), model)
    beginnings = {tuple(c[:n]) for c in candidates for n in range(1, len(c) + 1)}
    inner = {tuple(c[:n]) for c in candidates for n in range(1, len(c))}
    asked = [ask for ask in model.asked if isinstance(ask, TokenLogProbs)]
    stepped = [ask for ask in model.asked if isinstance(ask, Step)]
    assert sum(map(len, asked)) == len(beginnings)
    assert sum(map(len, stepped)) == len(inner)
    assert len(asked) == bool(beginnings)
    assert len(stepped) == max(0, max(map(len, candidates)) - 1)


def test_pending_log_probabilities_are_bounded() -> None:
    """States of a large tree are not all kept until the end."""
    model = _recording(1)
    candidates = [
        [number % 12, number // 12 % 12, number // 144] + [1] * 20 for number in range(288)
    ]
    found = run_to_completion(score(candidates, 3, LEVELS), model)
    asked = [len(ask) for ask in model.asked if isinstance(ask, TokenLogProbs)]
    assert max(asked) < 512 + 288
    assert len(asked) > 5
    assert found == [_chain_rule(model, 3, candidate) for candidate in candidates]


def test_empty_equal_and_nested_candidates() -> None:
    """An empty candidate scores 0, and a candidate extends the score of its prefix."""
    model = FakeModel.random(LEVELS, 2)
    empty, short, same, long = run_to_completion(
        score([[], [1, 2], [1, 2], [1, 2, 3]], model.start), model
    )
    assert empty == 0.0
    assert short == same
    assert long == short + model.log_prob(2, 3)


@given(sequences)
def test_a_prefix_tree_has_one_node_per_distinct_prefix(candidates: list[list[int]]) -> None:
    """Nodes are the distinct prefixes, including the empty one; leaves keep their order."""
    tree = PrefixTree(candidates)
    assert len(tree) == len({tuple(c[:n]) for c in candidates for n in range(len(c) + 1)})
    found = []
    for leaf in tree.leaves:
        backwards = []
        at = leaf
        while at != ROOT:
            backwards.append(tree.tokens[at])
            at = tree.parents[at]
        found.append(backwards[::-1])
    assert found == candidates
    assert sorted(node for level in tree.levels for node in level) == list(range(1, len(tree)))
    for level in tree.levels:
        assert [tree.parents[node] for node in level] == sorted(tree.parents[n] for n in level)
    assert tree.inner == [node in tree.parents[1:] for node in range(len(tree))]


def test_a_text_is_scored_after_its_history() -> None:
    """History and text are read in order after `<eos>`; a final `<eos>` is counted."""
    [found] = run_to_completion(
        score_texts(LANGUAGE, NullStateStore(MODEL.start), "The Sun", ["Is  IN"]), MODEL
    )
    tokens = trained().encode("is in")
    last = trained().encode("the sun")[-1]
    assert found.log_prob == _chain_rule(MODEL, last, [*tokens, EOS])
    assert (found.text, found.word_count, found.token_count) == ("Is  IN", 2, len(tokens))


def test_eos_is_optional() -> None:
    """Without `<eos>`, the empty text has log-probability 0."""
    store = NullStateStore(MODEL.start)
    found = run_to_completion(score_texts(LANGUAGE, store, "", ["", "sea"], count_eos=False), MODEL)
    assert found[0].log_prob == 0.0
    assert found[1].log_prob == _chain_rule(MODEL, EOS, trained().encode("sea"))


def test_posteriors_are_shares_of_the_candidates() -> None:
    """Posteriors follow the likelihood ratio and sum to 1, without underflow."""
    shares = posteriors([-2000.0, -2000.0 - math.log(3)])
    assert shares == pytest.approx([0.75, 0.25])
    assert posteriors([-1e9]) == [1.0]


def test_the_invalid_field_of_a_score_request_is_named() -> None:
    """An empty list, a long candidate and a lone surrogate are rejected by field."""
    too_long = ". " * (MAX_CANDIDATE_TOKENS + 1)
    for candidates, field in (
        ([], "candidates"),
        (["sea", too_long], "candidates[1].text"),
        (["sea", "sun", "\ud800"], "candidates[2].text"),
    ):
        with pytest.raises(InvalidInput) as refused:
            run_to_completion(
                score_texts(LANGUAGE, NullStateStore(MODEL.start), "", candidates), MODEL
            )
        assert refused.value.field == field
    with pytest.raises(InvalidInput) as refused:
        run_to_completion(
            score_texts(LANGUAGE, NullStateStore(MODEL.start), "\ud800", ["sea"]), MODEL
        )
    assert refused.value.field == "history"


def test_the_words_of_an_answer_are_limited() -> None:
    """Words take 15 times the memory of the marks of a request: 100,000 are returned, no more."""
    most = ["." * 1000] * 100

    def ask(candidates: list[str], return_words: bool) -> list[Candidate]:
        asks = score_texts(
            LANGUAGE, NullStateStore(MODEL.start), "", candidates, return_words=return_words
        )
        return run_to_completion(asks, MODEL)

    assert sum(len(each.words) for each in ask(most, True)) == 100_000
    assert len(ask([*most, "."], False)) == 101
    with pytest.raises(InvalidInput, match="return_words: would return 100001 words"):
        ask([*most, "."], True)


@pytest.mark.parametrize("text", ["<eos>", "</w>", "\0", "🦆", "שלום", "e\u0301" * 9, "z" * 10_000])
def test_there_are_no_out_of_vocabulary_words(text: str) -> None:
    """Every text has a finite log-probability; a literal `<eos>` is ordinary text."""
    if text == "z" * 10_000:
        text = text[:4000]
    [found] = run_to_completion(
        score_texts(LANGUAGE, NullStateStore(MODEL.start), "", [text]), MODEL
    )
    assert -math.inf < found.log_prob < 0


def test_white_space_in_candidates_is_normalised() -> None:
    """Line breaks are spaces, and spaces between Chinese characters do not count."""
    texts = ["the\nsea", "the sea", "你好，世界", "你 好 , 世\u3000界", "你好，世\n界"]
    scored = run_to_completion(
        score_texts(LANGUAGE, NullStateStore(MODEL.start), "the", texts), MODEL
    )
    assert len({each.log_prob for each in scored[:2]}) == 1
    assert len({each.log_prob for each in scored[2:]}) == 1
    assert [each.word_count for each in scored] == [2, 2, 5, 5, 5]
