"""The likeliest tokens over all output levels, against all tokens sorted."""

from hypothesis import given
from hypothesis import strategies as st
from tests.tiny_models import TOKENIZER, Case, cases

from wordgate.lm.cached_queries import HashedState
from wordgate.lm.requests import run_to_completion
from wordgate.scoring.likely_tokens import likeliest_tokens


def _sorted(case: Case, state: int) -> list[tuple[str, bool, float]]:
    """Return all tokens after a state, likeliest first, lower ids first."""
    found = [(case.model.log_prob(state, token), token) for token in range(TOKENIZER.size)]
    return [
        (TOKENIZER.text_of(token), bool(TOKENIZER.ends_word[token]), log_prob)
        for log_prob, token in sorted(found, key=lambda each: (-each[0], each[1]))
    ]


@given(cases, st.integers(1, TOKENIZER.size + 5))
def test_the_likeliest_tokens_are_found(case: Case, count: int) -> None:
    """They are exact, with the log-probabilities of single tokens, bit for bit."""
    states = [case.start, -1, 3]
    contexts = [HashedState(b"", state) for state in states]
    found = run_to_completion(likeliest_tokens(case.queries, contexts, count), case.model)
    assert [
        [(each.text, each.ends_word, each.log_prob) for each in likely] for likely in found
    ] == [_sorted(case, state)[:count] for state in states]


@given(cases)
def test_improbable_clusters_are_not_evaluated(case: Case) -> None:
    """For one token, a cluster is needed only if it is likelier than every token of the head."""
    contexts = [case.context]
    run_to_completion(likeliest_tokens(case.queries, contexts, 1), case.model)
    head = case.model.output_rows([(case.start, 0)])[0]
    size = case.model.levels.head
    is_needed = any(cluster >= head[:size].max() for cluster in head[size:])
    assert case.model.calls["OutputRows"] == (3 if is_needed else 2)
