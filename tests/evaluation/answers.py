"""A fake model with predefined answers."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import Kind, PredictionResult, Suggestion
from wordgate.engine.results import RescoringResult, ScoreResult
from wordgate.lm.model_version import ModelVersion
from wordgate.scoring.lattice import ConfusionNetwork, Lattice
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS, HypothesisSpace, rank
from wordgate.scoring.score_weights import ScoreWeights
from wordgate.scoring.scoring import Candidate, TokenizedText, posteriors
from wordgate.text import words
from wordgate.text.normalization import normalise

NAME = ModelVersion("hand", "1", "int8")
T = TypeVar("T")


class GivenAnswers:
    """Log-probabilities by word, suggestions by the history's last word; a token is a character.

    Other words have log-probability -10; `<eos>` has -1.
    """

    def __init__(
        self, log_probs: Mapping[str, float], suggestions: Mapping[str, Sequence[str]]
    ) -> None:
        self.log_probs = log_probs
        self.suggestions = suggestions
        self.asked: list[str] = []
        self.closed = False

    def submit_predict(self, query: Query) -> "Future[PredictionResult]":
        """Return the predefined suggestions, up to the requested number."""
        found = words.split(normalise(query.history))
        texts = self.suggestions.get(found[-1] if found else "", ())[
            : query.options.max_suggestions
        ]
        self.asked.append(query.history)
        answer = [Suggestion(text, -float(n), Kind.WORD) for n, text in enumerate(texts, 1)]
        return _now(PredictionResult(answer, query.prefix, True, 1, NAME))

    def submit_score(
        self,
        history: str,
        candidates: Sequence[str],
        count_eos: bool = True,
        return_words: bool = False,
    ) -> "Future[ScoreResult]":
        """Return sums of the predefined log-probabilities."""
        cut = [words.split(normalise(candidate)) for candidate in candidates]
        sums = [
            math.fsum(self.log_probs.get(word, -10.0) for word in found) - count_eos
            for found in cut
        ]
        scored = [
            Candidate(text, log_prob, share, len(found), len("".join(found)))
            for text, log_prob, share, found in zip(
                candidates, sums, posteriors(sums), cut, strict=True
            )
        ]
        return _now(ScoreResult(scored, count_eos, NAME))

    def submit_rescore(
        self,
        history: str,
        hypotheses: HypothesisSpace,
        score_weights: ScoreWeights,
        count_eos: bool = True,
        bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
    ) -> "Future[RescoringResult]":
        """Rank an n-best list with the predefined log-probabilities."""
        assert not isinstance(hypotheses, Lattice | ConfusionNetwork)
        scored = self.submit_score(history, [h.text for h in hypotheses], count_eos).result()
        cuts = [TokenizedText(words.split(normalise(h.text)), []) for h in hypotheses]
        log_probs = [candidate.log_prob for candidate in scored.candidates]
        return _now(
            RescoringResult(rank(hypotheses, cuts, log_probs, score_weights), count_eos, NAME)
        )

    def close(self) -> None:
        """Record that the model was closed."""
        self.closed = True


def _now(value: T) -> "Future[T]":
    future: Future[T] = Future()
    future.set_result(value)
    return future
