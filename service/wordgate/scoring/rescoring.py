"""Rescore a recogniser's hypotheses with the language model.

N-best rescoring: Ostendorf et al. 1991, "Integration of diverse recognition methodologies through
reevaluation of n-best sentence hypotheses".
"""

import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wordgate.errors import InvalidInput
from wordgate.lm.context_window import read
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import ModelTask, TimeSlice
from wordgate.lm.state_store import StateStore
from wordgate.lm.tokenizer import EOS
from wordgate.scoring.confidence import WordDiff, confidences, differences
from wordgate.scoring.hypothesis import FIELD, Hypothesis, TimeSpan, check_hypotheses
from wordgate.scoring.lattice import Alternative, Arc, ConfusionNetwork, Lattice
from wordgate.scoring.lattice_nbest import check_source, extract_n_best
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.score_weights import ScoreWeights
from wordgate.scoring.scoring import TokenizedText, posteriors, score, tokenizing
from wordgate.text import words
from wordgate.text.argument_types import require_each, require_texts
from wordgate.text.cooperative_steps import Steps, finish
from wordgate.text.normalization import normalising_with_offsets


@dataclass(frozen=True)
class Transcript:
    """A ranked transcript with the parts of its total.

    `text` and `scores` are unchanged from the request, and `index` is the position there.
    `log_prob` is the language model's (natural logarithm), `boost` the sum of the boosted phrases.
    `posterior` is the transcript's share among the returned ones. `merged_path_log_weight` has the
    meaning that it has in `Hypothesis`.
    """

    text: str
    index: int
    total: float
    scores: Mapping[str, float]
    log_prob: float
    boost: float
    posterior: float
    word_count: int
    token_count: int
    merged_path_log_weight: float = 0.0


@dataclass(frozen=True)
class WordConfidence:
    """A word of the best transcript, as written, with its confidence and time span."""

    text: str
    confidence: float
    time: TimeSpan | None = None


@dataclass(frozen=True)
class Ranking:
    """Transcripts by descending total, and the words of the best one.

    Ties keep the order of the request. `differences` are the word spans in which the second
    transcript differs from the first. `exact` is false if a search bound was reached before the
    transcripts were proven to be the best.
    """

    transcripts: list[Transcript]
    words: list[WordConfidence]
    differences: list[WordDiff]
    exact: bool = True


HypothesisSpace = Sequence[Hypothesis] | Lattice | ConfusionNetwork
"""A recogniser's hypotheses: an n-best list, a lattice or a confusion network."""

DEFAULT_SEARCH_BOUNDS = SearchBounds()

_TOKEN = re.compile(r"\S+")


def check_kinds(hypotheses: HypothesisSpace) -> None:
    """Raise `TypeError` unless this is an n-best list, a lattice or a confusion network.

    The usual mistake is a str, or a list of str, in place of hypotheses.
    """
    if isinstance(hypotheses, Lattice):
        require_each(hypotheses.arcs, "lattice.arcs", Arc)
        require_texts(hypotheses.null_labels, "lattice.null_labels")
    elif isinstance(hypotheses, ConfusionNetwork):
        for number, slot in enumerate(hypotheses.slots):
            require_each(slot, f"confusion_network.slots[{number}]", Alternative)
    else:
        require_each(hypotheses, "hypotheses", Hypothesis)


def rescore(
    language: Lexicon,
    store: StateStore,
    history: str,
    hypotheses: HypothesisSpace,
    score_weights: ScoreWeights,
    count_eos: bool = True,
    bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
) -> ModelTask[Ranking]:
    """Rank hypotheses by their totals after `history`.

    All entries of an n-best list are scored; the `bounds.max_transcripts` best (default: all) are
    returned. A lattice or a confusion network is searched within `bounds`. Raises `InvalidInput`
    naming the field for an empty list, scores that some entries lack or that are not finite, a
    weight for an unknown score, times that do not match the text, a text with too many tokens or
    that is not Unicode, and a lattice with a cycle or without a path.
    """
    time_slice = TimeSlice()
    yield from time_slice.run(score_weights.prepare())
    if isinstance(hypotheses, Lattice | ConfusionNetwork):
        yield from time_slice.run(check_source(hypotheses, score_weights))
        start = read(language.tokenizer, history, store)
        found = yield from extract_n_best(
            language, start, hypotheses, score_weights, bounds, count_eos
        )
        time_slice.restart()
        return (
            yield from time_slice.run(
                ranking(
                    found.hypotheses, found.tokenized, found.log_probs, score_weights, found.exact
                )
            )
        )
    yield from time_slice.run(check_hypotheses(hypotheses, score_weights))
    tokenized = []
    for index, hypothesis in enumerate(hypotheses):
        field = f"{FIELD}[{index}].text"
        tokenized.append((yield from time_slice.run(tokenizing(language, hypothesis.text, field))))
    start = yield from read(language.tokenizer, history, store)
    end = [EOS] if count_eos else []
    sequences = [[*text.tokens, *end] for text in tokenized]
    log_probs = yield from score(sequences, start, language.levels)
    best = ranking(
        hypotheses, tokenized, log_probs, score_weights, max_transcripts=bounds.max_transcripts
    )
    time_slice.restart()
    return (yield from time_slice.run(best))


def rank(
    hypotheses: Sequence[Hypothesis],
    tokenized: Sequence[TokenizedText],
    log_probs: Sequence[float],
    score_weights: ScoreWeights,
) -> Ranking:
    """Return the ranking for these log-probabilities, like `ranking` but in one step."""
    return finish(ranking(hypotheses, tokenized, log_probs, score_weights))


def ranking(
    hypotheses: Sequence[Hypothesis],
    tokenized: Sequence[TokenizedText],
    log_probs: Sequence[float],
    score_weights: ScoreWeights,
    exact: bool = True,
    max_transcripts: int | None = None,
) -> Steps[Ranking]:
    """Return the ranking for these log-probabilities, as steps.

    Only the `max_transcripts` best hypotheses (default: all) are in it and share its posteriors.
    Raises `InvalidInput` for totals that are not finite.
    """
    boosts = yield from _boosts(tokenized, score_weights)
    totals = []
    for hypothesis, tokens, boost, log_prob in zip(
        hypotheses, tokenized, boosts, log_probs, strict=True
    ):
        rest = _total_without_lm(hypothesis, tokens, score_weights, boost)
        totals.append(rest + score_weights.lm_weight * log_prob)
        yield
    for index, total in enumerate(totals):
        _check_total(index, total)
    best = max(totals)
    order = sorted(range(len(totals)), key=lambda index: -totals[index])[:max_transcripts]
    kept = sorted(order)
    scaled = [(totals[index] - best) / score_weights.scale for index in kept]
    shares = dict(zip(kept, posteriors(scaled), strict=True))
    transcripts = [
        Transcript(
            hypotheses[index].text,
            index,
            totals[index],
            hypotheses[index].scores,
            log_probs[index],
            boosts[index],
            shares[index],
            len(tokenized[index].words),
            len(tokenized[index].tokens),
            hypotheses[index].merged_path_log_weight,
        )
        for index in order
    ]
    yield
    confidence = yield from confidences(
        tokenized[order[0]].words, [(tokenized[index].words, shares[index]) for index in kept]
    )
    best_words = yield from _word_confidences(hypotheses[order[0]], confidence)
    runner_up = tokenized[order[1]].words if len(order) > 1 else tokenized[order[0]].words
    return Ranking(
        transcripts,
        best_words,
        differences(tokenized[order[0]].words, runner_up),
        exact,
    )


def _boosts(tokenized: Sequence[TokenizedText], score_weights: ScoreWeights) -> Steps[list[float]]:
    """Return the sum of the boosted phrases in each text."""
    boosts = []
    for text in tokenized:
        boost = yield from score_weights.boosting(text.words)
        boosts.append(boost)
    return boosts


def _total_without_lm(
    hypothesis: Hypothesis, tokens: TokenizedText, score_weights: ScoreWeights, boost: float
) -> float:
    """Return the total of a hypothesis without the language-model score."""
    return (
        score_weights.weighted_sum(hypothesis.scores)
        + score_weights.word_insertion_bonus * len(tokens.words)
        + boost
        + hypothesis.merged_path_log_weight
    )


def _check_total(index: int, total: float) -> None:
    if not math.isfinite(total):
        raise InvalidInput(f"{FIELD}[{index}]", f"has the total {total}; send smaller scores")


def _word_confidences(
    winner: Hypothesis, word_confidences: Sequence[float]
) -> Steps[list[WordConfidence]]:
    """Return the winner's words as written, each with its confidence and its token's time."""
    normal = yield from normalising_with_offsets(winner.text)
    token_starts = (yield from _token_starts(winner.text)) if winner.times else []
    found = []
    word_spans = yield from words.finding_spans(normal.text)
    for (first, after), confidence in zip(word_spans, word_confidences, strict=True):
        start, end = normal.starts[first], normal.ends[after - 1]
        while start < end - 1 and winner.text[start].isspace():
            start += 1  # a combining mark follows white space and combines with it
        time = winner.times[bisect_right(token_starts, start) - 1] if winner.times else None
        found.append(WordConfidence(winner.text[start:end], confidence, time))
        yield
    return found


def _token_starts(text: str) -> Steps[list[int]]:
    """Return the start offset of each white-space-separated token."""
    starts = []
    for match in _TOKEN.finditer(text):
        starts.append(match.start())
        yield
    return starts
