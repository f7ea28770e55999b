"""Extract an n-best list from a lattice or a confusion network."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite

from wordgate.errors import InvalidInput
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import YIELD, ModelTask, State, TimeSlice
from wordgate.scoring.hypothesis import Hypothesis, TimeSpan
from wordgate.scoring.lattice import (
    Alternative,
    Arc,
    ConfusionNetwork,
    Lattice,
    check_confusion_network,
    check_lattice,
)
from wordgate.scoring.lattice_graph import LatticeGraph, join
from wordgate.scoring.lattice_heuristic import Heuristic, outlook
from wordgate.scoring.lattice_search import (
    LatticeSearch,
    LatticeSearchResult,
    SearchBounds,
)
from wordgate.scoring.score_weights import ScoreWeights, check_weighed
from wordgate.scoring.scoring import TokenizedText, tokenize_text, tokenizing
from wordgate.text.cooperative_steps import Steps

MAX_LATTICE_TOKENS = 50_000
"""Limit on the model tokens of a lattice, summed over its distinct labels."""


@dataclass(frozen=True)
class LatticeNBest:
    """Hypotheses by descending total, with their tokens and log-probabilities.

    `exact` is false if a transcript that is missing could have a greater total.
    """

    hypotheses: list[Hypothesis]
    tokenized: list[TokenizedText]
    log_probs: list[float]
    exact: bool


def extract_n_best(
    language: Lexicon,
    start: ModelTask[State],
    source: Lattice | ConfusionNetwork,
    score_weights: ScoreWeights,
    bounds: SearchBounds,
    count_eos: bool = True,
) -> ModelTask[LatticeNBest]:
    """Search for the transcripts with the greatest totals, within the search bounds.

    `start` computes the state after the history; it runs once the lattice has been validated.
    Raises `InvalidInput` for too many tokens, and like `join` and `LatticeGraph.build`.
    """

    separator = source.separator if isinstance(source, ConfusionNetwork) else " "

    @cache
    def tokenize(text: str) -> TokenizedText:
        return tokenize_text(language, text, "hypotheses")

    @cache
    def likely(unit: str) -> Heuristic:
        return outlook(unit, tokenize, score_weights, bool(separator))

    time_slice = TimeSlice()
    joined = yield from time_slice.run(join(source, score_weights))
    yield from time_slice.run(score_weights.prepare())
    tokens = 0
    for unit in joined.units:
        likely(unit)
        tokens += len(tokenize(unit).tokens)
        if tokens > MAX_LATTICE_TOKENS:
            problem = f"have more than {MAX_LATTICE_TOKENS} tokens; send a smaller lattice"
            raise InvalidInput("hypotheses", problem)
        if time_slice.is_over():
            yield YIELD
    graph = LatticeGraph(source.sum_paths)
    yield from time_slice.run(graph.build(joined, likely))
    state = yield from start
    search = LatticeSearch(
        graph, likely, tokenize, score_weights, state, bounds, separator, count_eos
    )
    found, exact = yield from search.run()
    time_slice.restart()
    entries = _Entries(source)
    best = yield from time_slice.run(graph.best_paths([each.units for each in found]))
    paths = sorted(zip(best, found, strict=True), key=_sent_first)
    texts = [separator.join(each.units) for _, each in paths]
    hypotheses = []
    tokenized = []
    for text, (path, each) in zip(texts, paths, strict=True):
        hypothesis = entries.hypothesis(text, path, each, score_weights)
        hypotheses.append((yield from time_slice.run(hypothesis)))
        tokenized.append((yield from time_slice.run(tokenizing(language, text, "hypotheses"))))
    return LatticeNBest(hypotheses, tokenized, [each.log_prob for _, each in paths], exact)


def check_source(source: Lattice | ConfusionNetwork, score_weights: ScoreWeights) -> Steps[None]:
    """Raise `InvalidInput` naming the field if the source or its weights are not valid."""
    if isinstance(source, Lattice):
        yield from check_lattice(source)
        names = source.arcs[0].scores.keys()
    else:
        yield from check_confusion_network(source)
        names = source.slots[0][0].scores.keys()
    check_weighed(score_weights, names)


class _Entries:
    """Scores and times of a path: arcs of a lattice, or alternatives numbered slot by slot."""

    def __init__(self, source: Lattice | ConfusionNetwork) -> None:
        self._separator = " "
        self._times = source.times
        self._sum_paths = source.sum_paths
        if isinstance(source, Lattice):
            self._entries: Sequence[Arc | Alternative] = source.arcs
            self._ends = [(arc.start, arc.end) for arc in source.arcs]
        else:
            self._separator = source.separator
            self._entries = [entry for slot in source.slots for entry in slot]
            self._ends = [(n, n + 1) for n, slot in enumerate(source.slots) for _ in slot]

    def hypothesis(
        self,
        text: str,
        path: Sequence[tuple[str, int]],
        found: LatticeSearchResult,
        score_weights: ScoreWeights,
    ) -> Steps[Hypothesis]:
        """Return the hypothesis of a path, with summed scores and the time of each token.

        Raises `InvalidInput` for a sum that is not finite.
        """
        arcs = list(dict.fromkeys(arc for _, arc in path))
        scores: dict[str, float] = {}
        for arc in arcs:
            for name, value in self._entries[arc].scores.items():
                scores[name] = scores.get(name, 0.0) + value
            yield
        for name, value in scores.items():
            if not isfinite(value):
                problem = f"have a path whose {name} adds up to {value}; send smaller scores"
                raise InvalidInput("hypotheses", problem)
        merged = found.path_score - score_weights.weighted_sum(scores) if self._sum_paths else 0.0
        spans = yield from self._spans(path)
        return Hypothesis(text, scores, spans, merged)

    def _spans(self, path: Sequence[tuple[str, int]]) -> Steps[list[TimeSpan]]:
        """Return the time span of each white-space-separated token; empty if no times were sent."""
        if not self._times:
            return []
        spans: list[TimeSpan] = []
        within = False
        for unit, arc in path:
            if not unit or unit.isspace():
                within = within and not unit
                continue
            yield
            begins, ends = (self._times[node] for node in self._ends[arc])
            if within and not self._separator:
                spans[-1] = TimeSpan(spans[-1].start_seconds, ends)
            else:
                spans.append(TimeSpan(begins, ends))
            within = True
        return spans


def _sent_first(
    entry: tuple[Sequence[tuple[str, int]], LatticeSearchResult],
) -> tuple[float, list[int]]:
    """Return a sort key: descending total, ties in the order of the request's arcs."""
    path, found = entry
    return -found.total, [arc for _, arc in path]
