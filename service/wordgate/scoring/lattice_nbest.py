"""The best transcripts of a lattice or a confusion network, as hypotheses to rank.

Knows lattices, how they are searched and what a ranking needs; does not know how it ranks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from wordgate.errors import InvalidInput
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import SHORT_ROUND, YIELD, ModelTask, Pace, State
from wordgate.scoring.hypothesis import Hypothesis, TimeSpan
from wordgate.scoring.lattice import (
    Alternative,
    Arc,
    ConfusionNetwork,
    Lattice,
    check_confusion_network,
    check_lattice,
)
from wordgate.scoring.lattice_graph import Heuristic, LatticeGraph, join
from wordgate.scoring.lattice_search import (
    LatticeSearch,
    LatticeSearchResult,
    SearchBounds,
    outlook,
)
from wordgate.scoring.scoring import TokenizedText, cutting, tokenize_text
from wordgate.scoring.weighting import Weighting, check_weighed
from wordgate.text.steps import Steps

MAX_LATTICE_PIECES = 50_000
"""Pieces of all different tokens of a lattice together; more are refused."""

_OUTLOOK_WORK, _PIECE_WORK = 20, 6
"""Work to cut a token into pieces."""

_SPAN_WORK = 4


@dataclass(frozen=True)
class LatticeNBest:
    """Hypotheses by falling total, with their words and the model's log-probabilities."""

    hypotheses: list[Hypothesis]
    cuts: list[TokenizedText]
    log_probs: list[float]
    exact: bool


def extract_n_best(
    language: Lexicon,
    start: ModelTask[State],
    source: Lattice | ConfusionNetwork,
    weighting: Weighting,
    bounds: SearchBounds,
    count_eos: bool = True,
) -> ModelTask[LatticeNBest]:
    """The transcripts with the greatest totals, as far as the bounds let them be found.

    `start` answers the state behind the history; it is asked once the hypotheses are known to be
    sound. Raises `InvalidInput` as `check_source` and `LatticeGraph`.
    """

    separator = source.separator if isinstance(source, ConfusionNetwork) else " "

    @cache
    def cut(text: str) -> TokenizedText:
        return tokenize_text(language, text, "hypotheses")

    @cache
    def likely(unit: str) -> Heuristic:
        return outlook(unit, cut, weighting, bool(separator))

    pace = Pace(SHORT_ROUND)
    joined = yield from pace.run(join(source, weighting))
    yield from pace.run(weighting.prepare())
    pieces = 0
    for unit in joined.units:
        likely(unit)
        pieces += len(cut(unit).pieces)
        if pieces > MAX_LATTICE_PIECES:
            problem = f"have more than {MAX_LATTICE_PIECES} pieces in their tokens; send fewer"
            raise InvalidInput("hypotheses", problem)
        if pace.is_due(_OUTLOOK_WORK + _PIECE_WORK * len(cut(unit).pieces)):
            yield YIELD
    graph = LatticeGraph(source.sum_paths)
    yield from pace.run(graph.build(joined, likely))
    state = yield from start
    search = LatticeSearch(graph, likely, cut, weighting, state, bounds, separator, count_eos)
    found, exact = yield from search.run()
    entries = _Entries(source)
    best = yield from pace.run(graph.best_paths([each.units for each in found]))
    paths = sorted(zip(best, found, strict=True), key=_sent_first)
    texts = [separator.join(each.units) for _, each in paths]
    hypotheses = []
    cuts = []
    for text, (path, each) in zip(texts, paths, strict=True):
        said = entries.hypothesis(text, path, each, weighting)
        hypotheses.append((yield from pace.run(said)))
        cuts.append((yield from pace.run(cutting(language, text, "hypotheses"))))
    return LatticeNBest(hypotheses, cuts, [each.log_prob for _, each in paths], exact)


def check_source(source: Lattice | ConfusionNetwork, weighting: Weighting) -> Steps[None]:
    """Raise `InvalidInput` naming the field of what cannot be searched, or weighs nothing."""
    if isinstance(source, Lattice):
        yield from check_lattice(source)
        names = source.arcs[0].scores.keys()
    else:
        yield from check_confusion_network(source)
        names = source.slots[0][0].scores.keys()
    check_weighed(weighting, names)


class _Entries:
    """What the arcs of a path have: arcs of a lattice, or alternatives, numbered slot by slot."""

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
        weighting: Weighting,
    ) -> Steps[Hypothesis]:
        """The scores of a path, added up, and when each of its tokens was said."""
        arcs = list(dict.fromkeys(arc for _, arc in path))
        scores: dict[str, float] = {}
        for arc in arcs:
            for name, value in self._entries[arc].scores.items():
                scores[name] = scores.get(name, 0.0) + value
            yield 2 + len(self._entries[arc].scores)
        others = found.path_score - weighting.weighted(scores) if self._sum_paths else 0.0
        spans = yield from self._spans(path)
        return Hypothesis(text, scores, spans, others)

    def _spans(self, path: Sequence[tuple[str, int]]) -> Steps[list[TimeSpan]]:
        """The time of each token between white space, if there are times."""
        if not self._times:
            return []
        spans: list[TimeSpan] = []
        within = False
        for unit, arc in path:
            if not unit or unit.isspace():
                within = within and not unit
                continue
            yield _SPAN_WORK
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
    """By falling total; equal ones by their arcs, in the order of the request."""
    path, found = entry
    return -found.total, [arc for _, arc in path]
