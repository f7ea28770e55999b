"""The heuristic of a lattice search: what one unit may add to a total besides its lattice score."""

from collections.abc import Callable
from dataclasses import dataclass

from wordgate.lm.adaptive_softmax import likely_log_prob
from wordgate.scoring.score_weights import ScoreWeights
from wordgate.scoring.scoring import TokenizedText
from wordgate.text.normalization import normalise

_CHARACTER = -1.2
_WORDS_PER_CHARACTER = 0.2
"""Rough averages: log-probability per character, and words per character."""


@dataclass(frozen=True, slots=True)
class Heuristic:
    """Upper bound and estimate of a unit's language-model score, word bonuses and boosts."""

    bound: float
    estimate: float


def outlook(
    unit: str, tokenize: Callable[[str], TokenizedText], score_weights: ScoreWeights, whole: bool
) -> Heuristic:
    """Return the heuristic of a unit: a token (`whole`) or a single character."""
    if whole:
        token = tokenize(unit)
        count = score_weights.word_insertion_bonus * len(token.words)
        boost = sum((score_weights.most_boost(word) for word in token.words), 0.0)
        estimate = sum(map(likely_log_prob, token.tokens))
        return Heuristic(count + boost, count + boost + score_weights.lm_weight * estimate)
    if unit.isspace():
        return Heuristic(0.0, 0.0)
    count = len(normalise(unit))
    most = max(0.0, score_weights.word_insertion_bonus) + score_weights.most_boost(None)
    estimate = (
        score_weights.lm_weight * _CHARACTER
        + score_weights.word_insertion_bonus * _WORDS_PER_CHARACTER
    )
    return Heuristic(count * most, estimate)
