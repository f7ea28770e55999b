"""Rank what a recogniser hesitates between, with the language model's opinion added.

Knows transcripts, their scores and what to ask of a model; does not know where they come from.
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
from wordgate.lm.requests import SHORT_ROUND, ModelTask, Pace
from wordgate.lm.state_store import StateStore
from wordgate.lm.tokenizer import EOS
from wordgate.scoring.confidence import WordDiff, confidences, differences
from wordgate.scoring.hypothesis import FIELD, Hypothesis, TimeSpan, check_hypotheses
from wordgate.scoring.lattice import Alternative, Arc, ConfusionNetwork, Lattice
from wordgate.scoring.lattice_nbest import check_source, extract_n_best
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.scoring import TokenizedText, cutting, posteriors, score
from wordgate.scoring.weighting import Weighting
from wordgate.text import words
from wordgate.text.argument_types import require_each, require_texts
from wordgate.text.normalization import normalising_with_offsets
from wordgate.text.steps import Steps, finish


@dataclass(frozen=True)
class Transcript:
    """A ranked transcript with the parts of its total.

    `text` and `scores` are as they were sent, `index` says as which entry. `log_prob` is the
    language model's, natural logarithm; `boost` what boosted phrases added; `posterior` the share
    among those given; `merged_path_log_weight` as in `Hypothesis`.
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
    """A word of the winner, as it was written, with its confidence and when it was said."""

    text: str
    confidence: float
    time: TimeSpan | None = None


@dataclass(frozen=True)
class Ranking:
    """Transcripts by falling total, equal ones in the order given; the words of the first.

    `differences` are the places, counted in words, where the second differs from the first.
    `exact` unless a bound was hit before it was proven that no other transcript could be among
    these.
    """

    transcripts: list[Transcript]
    words: list[WordConfidence]
    differences: list[WordDiff]
    exact: bool = True


HypothesisSpace = Sequence[Hypothesis] | Lattice | ConfusionNetwork
"""What a recogniser hesitates between: an n-best list, or what has many more transcripts."""

DEFAULT_SEARCH_BOUNDS = SearchBounds()

_TOKEN = re.compile(r"\S+")

_TOTAL_WORK = 4


def check_kinds(hypotheses: HypothesisSpace) -> None:
    """Raise `TypeError` for what is no n-best list, lattice or confusion network, above all for a
    str, or strs, in place of hypotheses."""
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
    weighting: Weighting,
    count_eos: bool = True,
    bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
) -> ModelTask[Ranking]:
    """The hypotheses ranked by their totals after `history`.

    Of an n-best list all are ranked, or the `bounds.max_transcripts` best; of a lattice or a
    confusion network the best that a search within its `bounds` finds. Raises `InvalidInput`
    naming the field: an empty list, scores that not all entries have or that are not finite, a
    weight for a score that none has, times that do not fit, a text of too many pieces or that is
    not Unicode, a lattice without a path or with a circle.
    """
    pace = Pace(SHORT_ROUND)
    yield from pace.run(weighting.prepare())
    if isinstance(hypotheses, Lattice | ConfusionNetwork):
        yield from pace.run(check_source(hypotheses, weighting))
        start = read(language.pieces, history, store)
        found = yield from extract_n_best(language, start, hypotheses, weighting, bounds, count_eos)
        return (
            yield from pace.run(
                ranking(found.hypotheses, found.cuts, found.log_probs, weighting, found.exact)
            )
        )
    yield from pace.run(check_hypotheses(hypotheses, weighting))
    cuts = []
    for index, hypothesis in enumerate(hypotheses):
        field = f"{FIELD}[{index}].text"
        cuts.append((yield from pace.run(cutting(language, hypothesis.text, field))))
    start = yield from read(language.pieces, history, store)
    end = [EOS] if count_eos else []
    sequences = [[*cut.pieces, *end] for cut in cuts]
    log_probs = yield from score(sequences, start, language.levels)
    wanted = bounds.max_transcripts
    if wanted is None or wanted >= len(hypotheses):
        return (yield from pace.run(ranking(hypotheses, cuts, log_probs, weighting)))
    boosts = yield from pace.run(_boosts(cuts, weighting))
    totals = [
        _worth(hypothesis, cut, weighting, boost) + weighting.lm_weight * log_prob
        for hypothesis, cut, boost, log_prob in zip(
            hypotheses, cuts, boosts, log_probs, strict=True
        )
    ]
    for index, total in enumerate(totals):
        _check_total(index, total)
    numbers = sorted(sorted(range(len(totals)), key=lambda index: -totals[index])[:wanted])
    best = ranking(
        [hypotheses[index] for index in numbers],
        [cuts[index] for index in numbers],
        [log_probs[index] for index in numbers],
        weighting,
        numbers=numbers,
    )
    return (yield from pace.run(best))


def rank(
    hypotheses: Sequence[Hypothesis],
    cuts: Sequence[TokenizedText],
    log_probs: Sequence[float],
    weighting: Weighting,
) -> Ranking:
    """The ranking that these log-probabilities give, as `ranking` in steps."""
    return finish(ranking(hypotheses, cuts, log_probs, weighting))


def ranking(
    hypotheses: Sequence[Hypothesis],
    cuts: Sequence[TokenizedText],
    log_probs: Sequence[float],
    weighting: Weighting,
    exact: bool = True,
    numbers: Sequence[int] | None = None,
) -> Steps[Ranking]:
    """The ranking that these log-probabilities give.

    `numbers` say as which entries the hypotheses were sent, if not as all, in order. Raises
    `InvalidInput` for infinite totals.
    """
    numbers = range(len(hypotheses)) if numbers is None else numbers
    boosts = yield from _boosts(cuts, weighting)
    totals = []
    for hypothesis, cut, boost, log_prob in zip(hypotheses, cuts, boosts, log_probs, strict=True):
        worth = _worth(hypothesis, cut, weighting, boost)
        totals.append(worth + weighting.lm_weight * log_prob)
        yield _TOTAL_WORK + len(hypothesis.scores)
    for index, total in zip(numbers, totals, strict=True):
        _check_total(index, total)
    best = max(totals)
    shares = posteriors([(total - best) / weighting.scale for total in totals])
    order = sorted(range(len(totals)), key=lambda index: -totals[index])
    transcripts = [
        Transcript(
            hypotheses[index].text,
            numbers[index],
            totals[index],
            hypotheses[index].scores,
            log_probs[index],
            boosts[index],
            shares[index],
            len(cuts[index].words),
            len(cuts[index].pieces),
            hypotheses[index].merged_path_log_weight,
        )
        for index in order
    ]
    yield _TOTAL_WORK * len(order)
    sure = yield from confidences(
        cuts[order[0]].words, [(cut.words, share) for cut, share in zip(cuts, shares, strict=True)]
    )
    sure_words = yield from _sure_words(hypotheses[order[0]], sure)
    runner_up = cuts[order[1]].words if len(order) > 1 else cuts[order[0]].words
    return Ranking(
        transcripts,
        sure_words,
        differences(cuts[order[0]].words, runner_up),
        exact,
    )


def _boosts(cuts: Sequence[TokenizedText], weighting: Weighting) -> Steps[list[float]]:
    """What boosted phrases add to each text."""
    found = []
    for cut in cuts:
        boost = yield from weighting.boosting(cut.words)
        found.append(boost)
    return found


def _worth(hypothesis: Hypothesis, cut: TokenizedText, weighting: Weighting, boost: float) -> float:
    """A total but for the model's part."""
    return (
        weighting.weighted(hypothesis.scores)
        + weighting.word_bonus * len(cut.words)
        + boost
        + hypothesis.merged_path_log_weight
    )


def _check_total(index: int, total: float) -> None:
    if not math.isfinite(total):
        raise InvalidInput(f"{FIELD}[{index}]", f"has the total {total}; send smaller scores")


def _sure_words(winner: Hypothesis, sure: Sequence[float]) -> Steps[list[WordConfidence]]:
    """The winner's words as they were written, each with the time of its token."""
    normal = yield from normalising_with_offsets(winner.text)
    token_starts = (yield from _token_starts(winner.text)) if winner.times else []
    found = []
    word_spans = yield from words.finding_spans(normal.text)
    for (first, after), confidence in zip(word_spans, sure, strict=True):
        start, end = normal.starts[first], normal.ends[after - 1]
        while start < end - 1 and winner.text[start].isspace():
            start += 1  # a mark was written after white space, and combines with it
        time = winner.times[bisect_right(token_starts, start) - 1] if winner.times else None
        found.append(WordConfidence(winner.text[start:end], confidence, time))
        yield 3
    return found


def _token_starts(text: str) -> Steps[list[int]]:
    """Where the tokens between white space begin."""
    found = []
    for match in _TOKEN.finditer(text):
        found.append(match.start())
        yield 1
    return found
