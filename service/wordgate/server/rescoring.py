"""Requests to rank, and rankings, between the protocol and the core.

Knows both and the limits; decides nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wordgate.api.v1 import rescoring_pb2
from wordgate.core.confidence import Difference
from wordgate.core.rescoring import Hypothesis, SureWord, TimeSpan, Transcript
from wordgate.core.weighting import Boost, Weighting
from wordgate.engine.answers import RescoringAnswer
from wordgate.errors import InvalidInput
from wordgate.server.limits import Limits, check_bytes, check_count, check_most
from wordgate.server.messages import model_version


@dataclass(frozen=True)
class Rescorable:
    """An utterance that is within the limits."""

    history: str
    hypotheses: list[Hypothesis]


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
    if asked.WhichOneof("hypotheses") is None:
        raise InvalidInput("hypotheses", "is not set; send n_best")
    check_count("n_best.candidates", asked.n_best.candidates, limits.max_candidates)
    return Rescorable(
        asked.history,
        [
            _hypothesis(f"n_best.candidates[{index}]", candidate, limits)
            for index, candidate in enumerate(asked.n_best.candidates)
        ],
    )


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
