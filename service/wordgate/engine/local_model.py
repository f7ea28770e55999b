"""A model that runs in this process, with the same interface as a gRPC client."""

from collections.abc import Generator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from wordgate.decoding.generation import GenerationQuery, GenerationState
from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.engine.executor import EngineExecutor
from wordgate.engine.job import Priority
from wordgate.engine.loaded_model import ServedModel, open_model
from wordgate.engine.onnx_model import Runtime
from wordgate.engine.results import (
    ExplanationResult,
    GenerationResult,
    RescoringResult,
    ScoreResult,
)
from wordgate.engine.scheduler import Scheduler
from wordgate.lm.requests import ModelTask
from wordgate.scoring.explanation import ExplanationQuery
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS, HypothesisSpace, check_kinds
from wordgate.scoring.score_weights import ScoreWeights
from wordgate.text.argument_types import require_text, require_texts

T = TypeVar("T")


class LocalModel:
    """Runs requests in this process, many at a time.

    There is no overload protection; the caller limits the number of concurrent requests.
    """

    def __init__(self, served: ServedModel, engine_threads: int = 1) -> None:
        """Start `engine_threads` engine threads, each of which runs inferences on one core."""
        self.served = served
        self._thread = EngineExecutor(Scheduler(), engine_threads)

    @classmethod
    def open(
        cls, path: Path, runtime: Runtime | None = None, engine_threads: int = 1
    ) -> "LocalModel":
        """Load the bundle at `path`. Raises the same errors as `open_model`."""
        return cls(open_model(path, runtime), engine_threads)

    def submit_predict(self, query: Query) -> "Future[PredictionResult]":
        """Predict the next words. Like the other methods, raises `TypeError` for non-text input."""
        require_text(query.history, "history")
        require_text(query.prefix, "prefix")
        return self._thread.submit(self.served.network, self.served.predict(query), admitted=True)

    def submit_score(
        self,
        history: str,
        candidates: Sequence[str],
        count_eos: bool = True,
        return_words: bool = False,
    ) -> "Future[ScoreResult]":
        """Score candidates after a history."""
        require_text(history, "history")
        require_texts(candidates, "candidates")
        task = self.served.score(history, candidates, count_eos, return_words)
        return self._thread.submit(self.served.network, task, Priority.NORMAL, admitted=True)

    def submit_rescore(
        self,
        history: str,
        hypotheses: HypothesisSpace,
        score_weights: ScoreWeights,
        count_eos: bool = True,
        bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
    ) -> "Future[RescoringResult]":
        """Rank a recogniser's hypotheses after a history."""
        require_text(history, "history")
        check_kinds(hypotheses)
        task = self.served.rescore(history, hypotheses, score_weights, count_eos, bounds)
        return self._thread.submit(self.served.network, task, Priority.NORMAL, admitted=True)

    def submit_explain(self, query: ExplanationQuery) -> "Future[ExplanationResult]":
        """Explain a text."""
        task = self.served.explain(query)
        return self._thread.submit(self.served.network, task, Priority.NORMAL, admitted=True)

    def submit_generate(self, query: GenerationQuery) -> Generator[GenerationResult, None, None]:
        """Yield the words of a generated text. Close the generator to stop early."""
        require_text(query.history, "history")
        require_text(query.prefix, "prefix")
        return self._words(query)

    def _words(self, query: GenerationQuery) -> Generator[GenerationResult, None, None]:
        served = self.served
        state: GenerationState | None = self._result(served.begin_text(query))
        while state is not None:
            seed = state.seed
            written = self._result(served.next_word(state))
            yield GenerationResult(written.word, seed, served.name)
            state = written.state

    def close(self) -> None:
        """Finish requests in progress, then stop."""
        self._thread.close()

    def _result(self, task: ModelTask[T]) -> T:
        """Run a task and return its result; cancel the task if the wait is interrupted."""
        future = self._thread.submit(self.served.network, task, admitted=True)
        try:
            return future.result()
        finally:
            future.cancel()
