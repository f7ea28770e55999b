"""Requests to rank, and rankings, between the protocol and the core.

Knows both and the limits; decides nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wordgate.api.v1 import rescoring_pb2
from wordgate.core.confidence import Difference
from wordgate.core.hypothesis import Hypothesis, TimeSpan
from wordgate.core.lattice import NULL_LABELS, Alternative, Arc, ConfusionNetwork, Lattice
from wordgate.core.lattice_search import SearchBounds
from wordgate.core.rescoring import Hypotheses, SureWord, Transcript
from wordgate.core.weighting import Boost, Weighting
from wordgate.engine.answers import RescoringAnswer
from wordgate.errors import InvalidInput
from wordgate.server.limits import Limits, check_bytes, check_count, check_most, check_number
from wordgate.server.messages import model_version


@dataclass(frozen=True)
class Rescorable:
    """An utterance that is within the limits."""

    history: str
    hypotheses: Hypotheses


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


def rescorable(
    asked: rescoring_pb2.RescoreRequest | rescoring_pb2.Utterance, limits: Limits
) -> Rescorable:
    """The utterance of a request. Raises `InvalidInput`."""
    check_bytes("history", asked.history, limits.max_history_bytes)
    kind = asked.WhichOneof("hypotheses")
    if kind is None:
        problem = "is not set; send n_best, confusion_network or lattice"
        raise InvalidInput("hypotheses", problem)
    return Rescorable(asked.history, _READ[kind](getattr(asked, kind), limits))


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


def rescore_response(answer: RescoringAnswer) -> rescoring_pb2.RescoreResponse:
    """The answer to `Rescore`."""
    ranking = answer.ranking
    return rescoring_pb2.RescoreResponse(
        ranking=rescoring_pb2.Ranking(
            transcripts=[_transcript(found) for found in ranking.transcripts],
            words=[_sure_word(word) for word in ranking.words],
            differences=[_difference(found) for found in ranking.differences],
            exact=ranking.exact,
        ),
        counted_eos=answer.counted_eos,
        model=model_version(answer.model),
    )


def _n_best(asked: rescoring_pb2.NBest, limits: Limits) -> Hypotheses:
    check_count("n_best.candidates", asked.candidates, limits.max_candidates)
    return [
        _hypothesis(f"n_best.candidates[{index}]", candidate, limits)
        for index, candidate in enumerate(asked.candidates)
    ]


def _confusion_network(asked: rescoring_pb2.ConfusionNetwork, limits: Limits) -> Hypotheses:
    place = "confusion_network.slots"
    check_count(place, asked.slots, limits.max_arcs)
    check_most(place, [e for slot in asked.slots for e in slot.alternatives], limits.max_arcs)
    slots = []
    for number, slot in enumerate(asked.slots):
        slots.append([Alternative(each.text, dict(each.scores)) for each in slot.alternatives])
        for rank, each in enumerate(slot.alternatives):
            where = f"{place}[{number}].alternatives[{rank}]"
            check_bytes(f"{where}.text", each.text, limits.max_label_bytes)
            _check_scores(f"{where}.scores", each.scores, limits)
    return ConfusionNetwork(
        slots,
        asked.separator if asked.HasField("separator") else ConfusionNetwork.separator,
        list(asked.times_seconds),
        asked.merging == rescoring_pb2.PATH_MERGING_SUM,
    )


def _lattice(asked: rescoring_pb2.Lattice, limits: Limits) -> Hypotheses:
    check_count("lattice.arcs", asked.arcs, limits.max_arcs)
    check_most("lattice.node_times_seconds", asked.node_times_seconds, 2 * limits.max_arcs)
    for number, arc in enumerate(asked.arcs):
        check_bytes(f"lattice.arcs[{number}].label", arc.label, limits.max_label_bytes)
        _check_scores(f"lattice.arcs[{number}].scores", arc.scores, limits)
    patterns = asked.null_labels.patterns
    check_most("lattice.null_labels.patterns", patterns, limits.max_null_labels)
    for number, pattern in enumerate(patterns):
        place = f"lattice.null_labels.patterns[{number}]"
        check_bytes(place, pattern, limits.max_label_bytes)
    return Lattice(
        [Arc(arc.start_node, arc.end_node, arc.label, dict(arc.scores)) for arc in asked.arcs],
        asked.start_node,
        asked.end_node,
        list(asked.node_times_seconds),
        list(patterns) if asked.HasField("null_labels") else NULL_LABELS,
        asked.keep_variants,
        asked.merging == rescoring_pb2.PATH_MERGING_SUM,
    )


_READ: Mapping[str, Callable[[Any, Limits], Hypotheses]] = {
    "n_best": _n_best,
    "confusion_network": _confusion_network,
    "lattice": _lattice,
}


def _hypothesis(place: str, candidate: rescoring_pb2.NBestCandidate, limits: Limits) -> Hypothesis:
    check_bytes(f"{place}.text", candidate.text, limits.max_candidate_bytes)
    _check_scores(f"{place}.scores", candidate.scores, limits)
    times = [TimeSpan(time.start_seconds, time.end_seconds) for time in candidate.times]
    return Hypothesis(candidate.text, dict(candidate.scores), times)


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
        other_paths=found.other_paths,
    )


def _sure_word(word: SureWord) -> rescoring_pb2.SureWord:
    time = None
    if word.time is not None:
        start, end = word.time.start_seconds, word.time.end_seconds
        time = rescoring_pb2.TimeSpan(start_seconds=start, end_seconds=end)
    return rescoring_pb2.SureWord(text=word.text, confidence=word.confidence, time=time)


def _difference(found: Difference) -> rescoring_pb2.Difference:
    return rescoring_pb2.Difference(
        start=found.start,
        end=found.end,
        runner_up_start=found.runner_up_start,
        runner_up_end=found.runner_up_end,
    )
