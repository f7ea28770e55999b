"""What a model answers, and how it is asked, whether in process or over gRPC.

`LocalModel` and the gRPC client both speak this, so that the command line and the evaluations do
not care where a model runs.
"""

from collections.abc import Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from wordgate.decoding.generation import GeneratedWord, GenerationQuery
from wordgate.decoding.prediction import Query
from wordgate.decoding.suggestions import Suggestion
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS, HypothesisSpace, Ranking
from wordgate.scoring.scoring import Candidate
from wordgate.scoring.weighting import Weighting


@dataclass(frozen=True)
class ModelVersion:
    """Which model answered: `precision` is "int8" or "float32"."""

    name: str
    version: str
    precision: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class PredictionResult:
    """Suggestions, the likeliest first; `exact` unless a bound was hit before they were proven.

    A suggestion takes the place of `prefix`, the unfinished word that was typed, verbatim.
    `expansions` counts the rows of the output layer that the search asked for.
    """

    suggestions: list[Suggestion]
    prefix: str
    exact: bool
    expansions: int
    model: ModelVersion


@dataclass(frozen=True)
class ScoreResult:
    """Scored candidates in the order given; whether `<eos>` was counted."""

    candidates: list[Candidate]
    counted_eos: bool
    model: ModelVersion


@dataclass(frozen=True)
class RescoringResult:
    """Ranked transcripts; whether `<eos>` was counted."""

    ranking: Ranking
    counted_eos: bool
    model: ModelVersion


@dataclass(frozen=True)
class GenerationResult:
    """One word of a text that goes on, and the seed that gives the same text again."""

    word: GeneratedWord
    seed: int
    model: ModelVersion


class LanguageModel(Protocol):
    """A model that can be asked, here or elsewhere. Futures let many questions be under way."""

    def submit_predict(self, query: Query) -> "Future[PredictionResult]":
        """The likeliest next words."""
        ...

    def submit_score(
        self,
        history: str,
        candidates: Sequence[str],
        count_eos: bool = True,
        return_words: bool = False,
    ) -> "Future[ScoreResult]":
        """Log-probabilities of candidates after a history."""
        ...

    def submit_rescore(
        self,
        history: str,
        hypotheses: HypothesisSpace,
        weighting: Weighting,
        count_eos: bool = True,
        bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
    ) -> "Future[RescoringResult]":
        """A recogniser's hypotheses, ranked after a history."""
        ...

    def close(self) -> None:
        """Stop. Questions still under way may be finished or cancelled."""
        ...


class GenerativeModel(LanguageModel, Protocol):
    """A model that can also be asked how a text goes on."""

    def submit_generate(self, query: GenerationQuery) -> Generator[GenerationResult, None, None]:
        """The words of a text that goes on, as they are drawn; closing it ends the text."""
        ...
