"""Result types, and the protocols of a language model in process or over gRPC.

`LocalModel` and the gRPC client both implement these protocols, so the command line and the
evaluations work with either.
"""

from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from wordgate.decoding.generation import GeneratedWord, GenerationQuery
from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.lm.model_version import ModelVersion
from wordgate.scoring.explanation import Explanation, ExplanationQuery
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS, HypothesisSpace, Ranking
from wordgate.scoring.score_weights import ScoreWeights
from wordgate.scoring.scoring import Candidate


@dataclass(frozen=True)
class ScoreResult:
    """Scored candidates in the order given, and whether `<eos>` was counted."""

    candidates: list[Candidate]
    counted_eos: bool
    model: ModelVersion


@dataclass(frozen=True)
class RescoringResult:
    """Ranked transcripts, and whether `<eos>` was counted."""

    ranking: Ranking
    counted_eos: bool
    model: ModelVersion


@dataclass(frozen=True)
class ExplanationResult:
    """An explained text, and whether the end of the text was counted."""

    explanation: Explanation
    counted_eos: bool
    model: ModelVersion


@dataclass(frozen=True)
class GenerationResult:
    """One word of a generated text, and the seed that reproduces the text."""

    word: GeneratedWord
    seed: int
    model: ModelVersion


class LanguageModel(Protocol):
    """A local or remote model. Futures allow many requests in progress."""

    def submit_predict(self, query: Query) -> "Future[PredictionResult]":
        """Predict the next words."""
        ...

    def submit_score(
        self,
        history: str,
        candidates: Sequence[str],
        count_eos: bool = True,
        return_words: bool = False,
    ) -> "Future[ScoreResult]":
        """Score candidates after a history."""
        ...

    def submit_rescore(
        self,
        history: str,
        hypotheses: HypothesisSpace,
        score_weights: ScoreWeights,
        count_eos: bool = True,
        bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
    ) -> "Future[RescoringResult]":
        """Rank a recogniser's hypotheses after a history."""
        ...

    def close(self) -> None:
        """Stop. Requests in progress may be finished or cancelled."""
        ...


class GenerativeModel(LanguageModel, Protocol):
    """A model that can also explain and generate text."""

    def submit_explain(self, query: ExplanationQuery) -> "Future[ExplanationResult]":
        """Explain a text."""
        ...

    def submit_generate(self, query: GenerationQuery) -> Generator[GenerationResult, None, None]:
        """Yield the words of a generated text. Close the generator to stop early."""
        ...
