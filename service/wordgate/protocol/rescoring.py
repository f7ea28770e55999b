"""Encode and decode rescoring requests and rankings.

A request of 1 MiB contains tens of thousands of entries. The server first checks only their number.
It decodes them in the engine, in short steps, after the request is admitted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from wordgate.api.v1 import rescoring_pb2
from wordgate.api.v1.priority_pb2 import PRIORITY_UNSPECIFIED, Priority
from wordgate.engine.results import RescoringResult
from wordgate.errors import InvalidInput
from wordgate.lm.requests import YIELD, ModelTask
from wordgate.protocol.lattices import (
    ENTRIES_PER_STEP,
    check_scores,
    decode_confusion_network,
    decode_lattice,
    decode_named_scores,
    encode_confusion_network,
    encode_lattice,
    is_step,
)
from wordgate.protocol.limits import Limits, check_bytes, check_count, check_most, check_number
from wordgate.protocol.models import decode_model_version, encode_model_version
from wordgate.scoring.confidence import WordDiff
from wordgate.scoring.hypothesis import Hypothesis, TimeSpan
from wordgate.scoring.lattice import ConfusionNetwork, Lattice
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import (
    HypothesisSpace,
    Ranking,
    Transcript,
    WordConfidence,
    check_kinds,
)
from wordgate.scoring.score_weights import Boost, ScoreWeights
from wordgate.text.normalization import require_unicode

Value = TypeVar("Value")


@dataclass(frozen=True)
class Rescorable:
    """Decoded utterance, within the limits."""

    history: str
    hypotheses: HypothesisSpace


def decode_score_weights(message: rescoring_pb2.ScoreWeights, limits: Limits) -> ScoreWeights:
    """Decode the weights of a total. Raises `InvalidInput` naming a field of `score_weights`."""
    check_scores("score_weights.weights", message.weights, limits)
    check_most("score_weights.boosts", message.boosts, limits.max_boosts)
    for index, boost in enumerate(message.boosts):
        field = f"score_weights.boosts[{index}].phrase"
        check_bytes(field, boost.phrase, limits.max_boost_phrase_bytes)
    try:
        return ScoreWeights(
            message.lm_weight if message.HasField("lm_weight") else ScoreWeights.lm_weight,
            message.word_insertion_bonus,
            dict(message.weights),
            [Boost(boost.phrase, boost.bonus) for boost in message.boosts],
            message.posterior_scale if message.HasField("posterior_scale") else None,
        )
    except InvalidInput as error:
        raise InvalidInput(f"score_weights.{error.field}", error.problem) from None


def check_counts(
    message: rescoring_pb2.RescoreRequest | rescoring_pb2.Utterance, limits: Limits
) -> None:
    """Raise `InvalidInput` for an utterance with too many entries, without decoding them."""
    check_bytes("history", message.history, limits.max_history_bytes)
    match message.WhichOneof("hypotheses"):
        case "n_best":
            check_count("n_best.candidates", message.n_best.candidates, limits.max_candidates)
        case "confusion_network":
            slots = message.confusion_network.slots
            check_count("confusion_network.slots", slots, limits.max_arcs)
            times = message.confusion_network.times_seconds
            check_most("confusion_network.times_seconds", times, limits.max_arcs + 1)
        case "lattice":
            check_count("lattice.arcs", message.lattice.arcs, limits.max_arcs)
            times = message.lattice.node_times_seconds
            check_most("lattice.node_times_seconds", times, 2 * limits.max_arcs)
            patterns = message.lattice.null_labels.patterns
            check_most("lattice.null_labels.patterns", patterns, limits.max_null_labels)
        case _:
            problem = "is missing; set n_best, confusion_network or lattice"
            raise InvalidInput("hypotheses", problem)


def decode_rescorable(
    message: rescoring_pb2.RescoreRequest | rescoring_pb2.Utterance, limits: Limits
) -> ModelTask[Rescorable]:
    """Decode an utterance in steps, after `check_counts`.

    Raises `InvalidInput` for an entry that exceeds a limit.
    """
    kind = message.WhichOneof("hypotheses")
    decode = _DECODERS[kind or ""]
    return Rescorable(message.history, (yield from decode(getattr(message, kind or ""), limits)))


def decode_search_bounds(message: rescoring_pb2.SearchBounds, limits: Limits) -> SearchBounds:
    """Decode the bounds of a search. Raises `InvalidInput` for a value outside its limits."""
    values = {field.name: value for field, value in message.ListFields()}
    most = {
        "max_transcripts": (1, limits.max_transcripts),
        "beam": (1, limits.max_beam),
        "recombination_words": (0, limits.max_beam),
        "max_expansions": (1, limits.max_lattice_expansions),
    }
    for name, value in values.items():
        check_number(f"search.{name}", value, *most[name])
    return SearchBounds(**values)


def encode_ranking(answer: RescoringResult) -> ModelTask[rescoring_pb2.RescoreResponse]:
    """Return the response to `Rescore`, in steps."""
    ranking = answer.ranking
    response = rescoring_pb2.RescoreResponse(
        ranking=rescoring_pb2.Ranking(exact=ranking.exact),
        counted_eos=answer.counted_eos,
        model=encode_model_version(answer.model),
    )
    yield from _extend(response.ranking.transcripts, _encode_transcript, ranking.transcripts)
    yield from _extend(response.ranking.words, _encode_confidence, ranking.words)
    yield from _extend(response.ranking.differences, _encode_difference, ranking.differences)
    return response


def _extend(
    messages: Any, encode: Callable[[Value], Any], values: Sequence[Value]
) -> ModelTask[None]:
    """Append the encoded values to a repeated field, in steps."""
    for first in range(0, len(values), ENTRIES_PER_STEP):
        if first:
            yield YIELD
        messages.extend(map(encode, values[first : first + ENTRIES_PER_STEP]))


def _decode_n_best(message: rescoring_pb2.NBest, limits: Limits) -> ModelTask[HypothesisSpace]:
    hypotheses = []
    for index, candidate in enumerate(message.candidates):
        if is_step(index):
            yield YIELD
        hypotheses.append(_decode_hypothesis(f"n_best.candidates[{index}]", candidate, limits))
    return hypotheses


_DECODERS: Mapping[str, Callable[[Any, Limits], ModelTask[HypothesisSpace]]] = {
    "n_best": _decode_n_best,
    "confusion_network": decode_confusion_network,
    "lattice": decode_lattice,
}


def _decode_hypothesis(
    field: str, candidate: rescoring_pb2.NBestCandidate, limits: Limits
) -> Hypothesis:
    check_bytes(f"{field}.text", candidate.text, limits.max_candidate_bytes)
    check_most(f"{field}.times", candidate.times, limits.max_candidate_tokens)
    scores = decode_named_scores(f"{field}.scores", candidate, limits)
    times = [TimeSpan(time.start_seconds, time.end_seconds) for time in candidate.times]
    return Hypothesis(candidate.text, scores, times)


def _encode_transcript(found: Transcript) -> rescoring_pb2.RankedTranscript:
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


def _encode_confidence(word: WordConfidence) -> rescoring_pb2.WordConfidence:
    time = None
    if word.time is not None:
        start, end = word.time.start_seconds, word.time.end_seconds
        time = rescoring_pb2.TimeSpan(start_seconds=start, end_seconds=end)
    return rescoring_pb2.WordConfidence(text=word.text, confidence=word.confidence, time=time)


def _encode_difference(found: WordDiff) -> rescoring_pb2.WordDiff:
    return rescoring_pb2.WordDiff(
        start=found.start,
        end=found.end,
        runner_up_start=found.runner_up_start,
        runner_up_end=found.runner_up_end,
    )


def encode_rescore_request(
    model: str,
    history: str,
    hypotheses: HypothesisSpace,
    score_weights: ScoreWeights,
    count_eos: bool,
    bounds: SearchBounds,
    priority: Priority.ValueType = PRIORITY_UNSPECIFIED,
) -> rescoring_pb2.RescoreRequest:
    """Return the request to rescore hypotheses.

    Raises `InvalidInput` for text that is not valid Unicode.
    """
    require_unicode(history, "history")
    for name in score_weights.weights:
        require_unicode(name, "score_weights.weights")
    for index, boost in enumerate(score_weights.boosts):
        require_unicode(boost.phrase, f"score_weights.boosts[{index}].phrase")
    request = rescoring_pb2.RescoreRequest(
        model=model,
        score_weights=_encode_score_weights(score_weights),
        count_eos=count_eos,
        history=history,
        priority=priority,
    )
    check_kinds(hypotheses)
    if isinstance(hypotheses, Lattice):
        request.lattice.CopyFrom(encode_lattice(hypotheses))
    elif isinstance(hypotheses, ConfusionNetwork):
        request.confusion_network.CopyFrom(encode_confusion_network(hypotheses))
    else:
        request.n_best.CopyFrom(_encode_n_best(hypotheses))
    request.search.CopyFrom(rescoring_pb2.SearchBounds(**asdict(bounds)))
    return request


def _encode_n_best(hypotheses: Sequence[Hypothesis]) -> rescoring_pb2.NBest:
    for number, hypothesis in enumerate(hypotheses):
        require_unicode(hypothesis.text, f"n_best.candidates[{number}].text")
        for name in hypothesis.scores:
            require_unicode(name, f"n_best.candidates[{number}].scores")
    return rescoring_pb2.NBest(candidates=map(_n_best_candidate, hypotheses))


def _encode_score_weights(score_weights: ScoreWeights) -> rescoring_pb2.ScoreWeights:
    return rescoring_pb2.ScoreWeights(
        lm_weight=score_weights.lm_weight,
        word_insertion_bonus=score_weights.word_insertion_bonus,
        weights=score_weights.weights,
        boosts=[rescoring_pb2.Boost(phrase=b.phrase, bonus=b.bonus) for b in score_weights.boosts],
        posterior_scale=score_weights.posterior_scale,
    )


def _n_best_candidate(hypothesis: Hypothesis) -> rescoring_pb2.NBestCandidate:
    times = [
        rescoring_pb2.TimeSpan(start_seconds=time.start_seconds, end_seconds=time.end_seconds)
        for time in hypothesis.times
    ]
    return rescoring_pb2.NBestCandidate(text=hypothesis.text, scores=hypothesis.scores, times=times)


def decode_ranking(answer: rescoring_pb2.RescoreResponse) -> RescoringResult:
    """Decode the response to `Rescore`."""
    ranking = answer.ranking
    return RescoringResult(
        Ranking(
            [_decode_transcript(found) for found in ranking.transcripts],
            [_decode_confidence(word) for word in ranking.words],
            [
                WordDiff(found.start, found.end, found.runner_up_start, found.runner_up_end)
                for found in ranking.differences
            ],
            ranking.exact,
        ),
        answer.counted_eos,
        decode_model_version(answer.model),
    )


def _decode_transcript(found: rescoring_pb2.RankedTranscript) -> Transcript:
    return Transcript(
        found.text,
        found.index,
        found.total,
        dict(found.scores),
        found.log_prob,
        found.boost,
        found.posterior,
        found.word_count,
        found.token_count,
        found.merged_path_log_weight,
    )


def _decode_confidence(word: rescoring_pb2.WordConfidence) -> WordConfidence:
    time = TimeSpan(word.time.start_seconds, word.time.end_seconds)
    return WordConfidence(word.text, word.confidence, time if word.HasField("time") else None)
