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
from wordgate.scoring.rescoring import PLAIN_BOUNDS, Hypotheses, Ranking
from wordgate.scoring.scoring import Candidate
from wordgate.scoring.weighting import Weighting


@dataclass(frozen=True)
class ModelName:
    """Which model answered: `precision` is "int8" or "float32"."""

    name: str
    version: str
    precision: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class PredictionAnswer:
    """Suggestions, the likeliest first; `exact` unless a bound was hit before they were proven.

    A suggestion takes the place of `prefix`, the unfinished word that was typed, verbatim.
    `expansions` counts the rows of the output layer that the search asked for.
    """

    suggestions: list[Suggestion]
    prefix: str
    exact: bool
    expansions: int
    model: ModelName


@dataclass(frozen=True)
class ScoreAnswer:
    """Scored candidates in the order given; whether `<eos>` was counted."""

    candidates: list[Candidate]
    counted_eos: bool
    model: ModelName


@dataclass(frozen=True)
class RescoringAnswer:
    """Ranked transcripts; whether `<eos>` was counted."""

    ranking: Ranking
    counted_eos: bool
    model: ModelName


@dataclass(frozen=True)
class GenerationAnswer:
    """One word of a text that goes on, and the seed that gives the same text again."""

    word: GeneratedWord
    seed: int
    model: ModelName


class Asked(Protocol):
    """A model that can be asked, here or elsewhere. Futures let many questions be under way."""

    def ask_predict(self, query: Query) -> "Future[PredictionAnswer]":
        """The likeliest next words."""
        ...

    def ask_score(
        self, history: str, candidates: Sequence[str], count_eos: bool = True
    ) -> "Future[ScoreAnswer]":
        """Log-probabilities of candidates after a history."""
        ...

    def ask_rescore(
        self,
        history: str,
        hypotheses: Hypotheses,
        weighting: Weighting,
        count_eos: bool = True,
        bounds: SearchBounds = PLAIN_BOUNDS,
    ) -> "Future[RescoringAnswer]":
        """A recogniser's hypotheses, ranked after a history."""
        ...

    def close(self) -> None:
        """Stop. Questions still under way may be finished or cancelled."""
        ...


class Generating(Asked, Protocol):
    """A model that can also be asked how a text goes on."""

    def ask_generate(self, query: GenerationQuery) -> Generator[GenerationAnswer, None, None]:
        """The words of a text that goes on, as they are drawn; closing it ends the text."""
        ...
