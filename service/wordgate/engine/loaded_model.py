"""Load a bundle into a model that is ready to serve."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wordgate.bundle import bundle as bundles
from wordgate.bundle.bundle import Bundle, one_line, refusing
from wordgate.decoding.generation import (
    GenerationQuery,
    GenerationState,
    GenerationStep,
    begin,
    next_word,
)
from wordgate.decoding.prediction import Query, predict
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.engine import malloc_trim
from wordgate.engine.onnx_model import CallObserver, NetworkModel, Runtime
from wordgate.engine.results import ExplanationResult, RescoringResult, ScoreResult
from wordgate.engine.state_cache import DEFAULT_CACHE_BYTES, StateCache
from wordgate.errors import InvalidBundle
from wordgate.lm.cached_queries import CachedQueries
from wordgate.lm.context_window import read_ahead, read_context
from wordgate.lm.model_version import ModelVersion
from wordgate.lm.requests import ModelTask, run_to_completion
from wordgate.lm.state_store import NullStateStore
from wordgate.scoring.explanation import ExplanationQuery, explain
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS, HypothesisSpace, rescore
from wordgate.scoring.score_weights import ScoreWeights
from wordgate.scoring.scoring import score_texts

_DRAWN_SEED_BITS = 53
"""Bits of a random seed; a double, as used by JavaScript, represents 53 bits exactly."""

SMOKE_TOLERANCE = 1e-3
"""Maximum difference from the published log-probabilities of the smoke set."""


@dataclass(frozen=True)
class ServedModel:
    """A loaded, verified and warmed-up model. Its methods return generators for a scheduler."""

    bundle: Bundle
    network: NetworkModel
    cache: StateCache

    def namespaced(self, namespace: bytes) -> "ServedModel":
        """Return the same model with a view of the state cache that is isolated by namespace."""
        return replace(self, cache=self.cache.namespaced(namespace))

    @property
    def name(self) -> ModelVersion:
        """Name, version and precision, as reported in every response."""
        return self.bundle.language.model

    def predict(self, query: Query) -> ModelTask[PredictionResult]:
        """Predict the most probable next words (`decoding.prediction.predict`)."""
        return predict(self.bundle.language, self.cache, query)

    def begin_text(self, query: GenerationQuery) -> ModelTask[GenerationState]:
        """Prepare text generation (`decoding.generation.begin`), with a random seed by default."""
        seed = secrets.randbits(_DRAWN_SEED_BITS) if query.seed is None else query.seed
        return begin(self.bundle.language, self.cache, query, seed)

    def next_word(self, state: GenerationState) -> ModelTask[GenerationStep]:
        """Generate the next word of a text (`decoding.generation.next_word`)."""
        return next_word(self.bundle.language, state)

    def log_prob_of(self, history: str, word: str) -> ModelTask[float]:
        """Return the log-probability of one word in normal form after a history."""
        language = self.bundle.language
        start = yield from read_context(language.tokenizer, history, self.cache)
        queries = CachedQueries(language.tokenizer, language.levels, self.cache)
        return (yield from queries.word_log_prob(start, word))

    def read(self, history: str) -> ModelTask[None]:
        """Read a history into the cache (`lm.context_window.read`)."""
        yield from read_context(self.bundle.language.tokenizer, history, self.cache)

    def read_ahead(self, history: str) -> ModelTask[None]:
        """Prepare the cache for the next anchor (`lm.context_window.read_ahead`)."""
        yield from read_ahead(self.bundle.language.tokenizer, history, self.cache)

    def score(
        self,
        history: str,
        candidates: Sequence[str],
        count_eos: bool = True,
        return_words: bool = False,
    ) -> ModelTask[ScoreResult]:
        """Score candidates after a history (`scoring.scoring.score_texts`)."""
        language = self.bundle.language
        scored = yield from score_texts(
            language, self.cache, history, candidates, count_eos, return_words
        )
        return ScoreResult(scored, count_eos, self.name)

    def rescore(
        self,
        history: str,
        hypotheses: HypothesisSpace,
        score_weights: ScoreWeights,
        count_eos: bool = True,
        bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
    ) -> ModelTask[RescoringResult]:
        """Rank hypotheses by their totals (`scoring.rescoring.rescore`)."""
        language = self.bundle.language
        ranking = yield from rescore(
            language, self.cache, history, hypotheses, score_weights, count_eos, bounds
        )
        return RescoringResult(ranking, count_eos, self.name)

    def explain(self, query: ExplanationQuery) -> ModelTask[ExplanationResult]:
        """Explain a text (`scoring.explanation.explain`)."""
        explanation = yield from explain(self.bundle.language, self.cache, query)
        return ExplanationResult(explanation, query.count_eos, self.name)


def open_model(
    path: Path,
    runtime: Runtime | None = None,
    observer: CallObserver | None = None,
    state_cache_bytes: int = DEFAULT_CACHE_BYTES,
) -> ServedModel:
    """Verify and load the bundle at `path`, run its smoke set and warm it up.

    Raises `InvalidBundle` (reasons as in `bundle.load`, and `smoke`), and `InvalidConfiguration`
    for a device that is not available or cannot run the model.
    """
    bundle = bundles.load(path)
    network = network_of(bundle, runtime, observer)
    bundle = bundle.without_contents()
    check_smoke(bundle, network)
    with refusing(path, "graphs cannot be run"):
        network.warm_up()
    bundle.language.tokenizer.warm_up(network.levels)
    cache = StateCache(network.start, bundle.digest, state_cache_bytes)
    malloc_trim.give_back()
    return ServedModel(bundle, network, cache)


def network_of(
    bundle: Bundle, runtime: Runtime | None = None, observer: CallObserver | None = None
) -> NetworkModel:
    """Load the graphs of a verified bundle. Raises the same errors as `NetworkModel`."""
    manifest = bundle.manifest
    return NetworkModel(
        bundle.path, manifest.network, manifest.precision, runtime, observer, bundle.contents
    )


def check_smoke(bundle: Bundle, network: NetworkModel) -> None:
    """Raise `InvalidBundle` unless the smoke set has its published log-probabilities."""
    for case in bundle.manifest.smoke:
        task = score_texts(
            bundle.language, NullStateStore(network.start), case.history, [case.text]
        )
        with refusing(bundle.path, "graphs cannot be run"):
            [found] = run_to_completion(task, network)
        if not abs(found.log_prob - case.log_prob) <= SMOKE_TOLERANCE:
            problem = (
                f"{case.text!r} after {case.history!r} has log-probability {found.log_prob:.5f} "
                f"here, but was published with {case.log_prob:.5f}; "
                "this CPU or onnxruntime version gives different results"
            )
            raise InvalidBundle(bundle.path, "smoke", one_line(problem))
