"""Requests to rank, and rankings, between the protocol and the core.

A request of a megabyte holds tens of thousands of entries. They are counted before any is read, and
read by the engine, in short steps, once the request has been admitted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from wordgate.api.v1 import rescoring_pb2
from wordgate.engine.results import RescoringResult
from wordgate.errors import InvalidInput
from wordgate.lm.requests import YIELD, ModelTask
from wordgate.protocol.limits import Limits, check_bytes, check_count, check_most, check_number
from wordgate.protocol.prediction import model_version
from wordgate.scoring.confidence import WordDiff
from wordgate.scoring.hypothesis import Hypothesis, TimeSpan
from wordgate.scoring.lattice import NULL_LABELS, Alternative, Arc, ConfusionNetwork, Lattice
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import HypothesisSpace, Transcript, WordConfidence
from wordgate.scoring.weighting import Boost, Weighting

Value = TypeVar("Value")

_ENTRIES_PER_STEP = 50


@dataclass(frozen=True)
class Rescorable:
    """An utterance that is within the limits."""

    history: str
    hypotheses: HypothesisSpace


def weighting_of(asked: rescoring_pb2.Weighting, limits: Limits) -> Weighting:
    """What the parts count. Raises `InvalidInput`, its field inside `weighting`."""
    _check_scores("weighting.weights", asked.weights, limits)
    check_most("weighting.boosts", asked.boosts, limits.max_boosts)
    for index, boost in enumerate(asked.boosts):
        place = f"weighting.boosts[{index}].phrase"
        check_bytes(place, boost.phrase, limits.max_boost_phrase_bytes)
    try:
        return Weighting(
            asked.lm_weight if asked.HasField("lm_weight") else Weighting.lm_weight,
            asked.word_bonus,
            dict(asked.weights),
            [Boost(boost.phrase, boost.weight) for boost in asked.boosts],
            asked.posterior_scale if asked.HasField("posterior_scale") else None,
        )
    except InvalidInput as error:
        raise InvalidInput(f"weighting.{error.field}", error.problem) from None


def check_counts(
    asked: rescoring_pb2.RescoreRequest | rescoring_pb2.Utterance, limits: Limits
) -> None:
    """Raise `InvalidInput` for an utterance with too many entries; none of them is read."""
    check_bytes("history", asked.history, limits.max_history_bytes)
    match asked.WhichOneof("hypotheses"):
        case "n_best":
            check_count("n_best.candidates", asked.n_best.candidates, limits.max_candidates)
        case "confusion_network":
            slots = asked.confusion_network.slots
            check_count("confusion_network.slots", slots, limits.max_arcs)
            times = asked.confusion_network.times_seconds
            check_most("confusion_network.times_seconds", times, limits.max_arcs + 1)
        case "lattice":
            check_count("lattice.arcs", asked.lattice.arcs, limits.max_arcs)
            times = asked.lattice.node_times_seconds
            check_most("lattice.node_times_seconds", times, 2 * limits.max_arcs)
            patterns = asked.lattice.null_labels.patterns
            check_most("lattice.null_labels.patterns", patterns, limits.max_null_labels)
        case _:
            problem = "is not set; send n_best, confusion_network or lattice"
            raise InvalidInput("hypotheses", problem)


def rescorable(
    asked: rescoring_pb2.RescoreRequest | rescoring_pb2.Utterance, limits: Limits
) -> ModelTask[Rescorable]:
    """The utterance of a request whose entries were counted, with pauses. Raises `InvalidInput`."""
    kind = asked.WhichOneof("hypotheses")
    read = _READ[kind or ""]
    return Rescorable(asked.history, (yield from read(getattr(asked, kind or ""), limits)))


def search_bounds_of(asked: rescoring_pb2.SearchBounds, limits: Limits) -> SearchBounds:
    """How far is searched. Raises `InvalidInput`."""
    set_ones = {field.name: value for field, value in asked.ListFields()}
    most = {
        "max_transcripts": (1, limits.max_transcripts),
        "beam": (1, limits.max_beam),
        "recombination_words": (0, limits.max_beam),
        "max_expansions": (1, limits.max_lattice_expansions),
    }
    for name, value in set_ones.items():
        check_number(f"search.{name}", value, *most[name])
    return SearchBounds(**set_ones)


def rescore_response(answer: RescoringResult) -> ModelTask[rescoring_pb2.RescoreResponse]:
    """The answer to `Rescore`, with pauses."""
    ranking = answer.ranking
    response = rescoring_pb2.RescoreResponse(
        ranking=rescoring_pb2.Ranking(exact=ranking.exact),
        counted_eos=answer.counted_eos,
        model=model_version(answer.model),
    )
    yield from _extended(response.ranking.transcripts, _transcript, ranking.transcripts)
    yield from _extended(response.ranking.words, _sure_word, ranking.words)
    yield from _extended(response.ranking.differences, _difference, ranking.differences)
    return response


def _extended(
    entries: Any, written: Callable[[Value], Any], values: Sequence[Value]
) -> ModelTask[None]:
    """Append the messages of values, with pauses."""
    for first in range(0, len(values), _ENTRIES_PER_STEP):
        if first:
            yield YIELD
        entries.extend(map(written, values[first : first + _ENTRIES_PER_STEP]))


def _n_best(asked: rescoring_pb2.NBest, limits: Limits) -> ModelTask[HypothesisSpace]:
    found = []
    for index, candidate in enumerate(asked.candidates):
        if _is_step(index):
            yield YIELD
        found.append(_hypothesis(f"n_best.candidates[{index}]", candidate, limits))
    return found


def _confusion_network(
    asked: rescoring_pb2.ConfusionNetwork, limits: Limits
) -> ModelTask[HypothesisSpace]:
    place = "confusion_network.slots"
    alternatives = 0
    for number, slot in enumerate(asked.slots):
        if _is_step(number):
            yield YIELD
        alternatives += len(slot.alternatives)
        if alternatives > limits.max_arcs:
            problem = f"has more than {limits.max_arcs} alternatives, which is the limit"
            raise InvalidInput(place, problem)
    slots: list[list[Alternative]] = []
    read = 0
    for number, slot in enumerate(asked.slots):
        slots.append([])
        for rank, each in enumerate(slot.alternatives):
            if _is_step(read):
                yield YIELD
            read += 1
            where = f"{place}[{number}].alternatives[{rank}]"
            check_bytes(f"{where}.text", each.text, limits.max_label_bytes)
            slots[-1].append(Alternative(each.text, _scores(f"{where}.scores", each, limits)))
    return ConfusionNetwork(
        slots,
        asked.separator if asked.HasField("separator") else ConfusionNetwork.separator,
        list(asked.times_seconds),
        asked.merging == rescoring_pb2.PATH_MERGING_SUM,
    )


def _lattice(asked: rescoring_pb2.Lattice, limits: Limits) -> ModelTask[HypothesisSpace]:
    patterns = asked.null_labels.patterns
    for number, pattern in enumerate(patterns):
        place = f"lattice.null_labels.patterns[{number}]"
        check_bytes(place, pattern, limits.max_label_bytes)
    arcs = []
    for number, arc in enumerate(asked.arcs):
        if _is_step(number):
            yield YIELD
        where = f"lattice.arcs[{number}]"
        check_bytes(f"{where}.label", arc.label, limits.max_label_bytes)
        scores = _scores(f"{where}.scores", arc, limits)
        arcs.append(Arc(arc.start_node, arc.end_node, arc.label, scores))
    return Lattice(
        arcs,
        asked.start_node,
        asked.end_node,
        list(asked.node_times_seconds),
        list(patterns) if asked.HasField("null_labels") else NULL_LABELS,
        asked.keep_variants,
        asked.merging == rescoring_pb2.PATH_MERGING_SUM,
    )


_READ: Mapping[str, Callable[[Any, Limits], ModelTask[HypothesisSpace]]] = {
    "n_best": _n_best,
    "confusion_network": _confusion_network,
    "lattice": _lattice,
}


def _is_step(entries: int) -> bool:
    """Return whether a pause is due after this many entries."""
    return entries > 0 and entries % _ENTRIES_PER_STEP == 0


def _hypothesis(place: str, candidate: rescoring_pb2.NBestCandidate, limits: Limits) -> Hypothesis:
    check_bytes(f"{place}.text", candidate.text, limits.max_candidate_bytes)
    check_most(f"{place}.times", candidate.times, limits.max_candidate_pieces)
    scores = _scores(f"{place}.scores", candidate, limits)
    times = [TimeSpan(time.start_seconds, time.end_seconds) for time in candidate.times]
    return Hypothesis(candidate.text, scores, times)


def _scores(place: str, scored: Any, limits: Limits) -> dict[str, float]:
    """The scores of a candidate, an alternative or an arc."""
    _check_scores(place, scored.scores, limits)
    return dict(scored.scores)


def _check_scores(place: str, scores: Mapping[str, float], limits: Limits) -> None:
    check_most(place, scores, limits.max_scores)
    for name in scores:
        check_bytes(place, name, limits.max_score_name_bytes)


def _transcript(found: Transcript) -> rescoring_pb2.RankedTranscript:
    return rescoring_pb2.RankedTranscript(
        text=found.text,
        index=found.index,
        total=found.total,
        log_prob=found.log_prob,
        scores=found.scores,
        boost=found.boost,
        posterior=found.posterior,
        word_count=found.word_count,
        token_count=found.token_count,
        merged_path_log_weight=found.merged_path_log_weight,
    )


def _sure_word(word: WordConfidence) -> rescoring_pb2.WordConfidence:
    time = None
    if word.time is not None:
        start, end = word.time.start_seconds, word.time.end_seconds
        time = rescoring_pb2.TimeSpan(start_seconds=start, end_seconds=end)
    return rescoring_pb2.WordConfidence(text=word.text, confidence=word.confidence, time=time)


def _difference(found: WordDiff) -> rescoring_pb2.WordDiff:
    return rescoring_pb2.WordDiff(
        start=found.start,
        end=found.end,
        runner_up_start=found.runner_up_start,
        runner_up_end=found.runner_up_end,
    )
