"""Hypotheses of an n-best list, and their validation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from wordgate.errors import InvalidInput
from wordgate.scoring.score_weights import ScoreWeights, check_finite, check_scores, check_weighed
from wordgate.text.cooperative_steps import Steps

FIELD = "n_best.candidates"


@dataclass(frozen=True)
class TimeSpan:
    """Start and end time, in seconds from the start of the recording."""

    start_seconds: float
    end_seconds: float


@dataclass(frozen=True)
class Hypothesis:
    """One transcript proposed by a recogniser.

    `scores` holds the recogniser's scores by name. `times` has one span per white-space-separated
    token, or is empty. For a transcript from a lattice, `scores` are those of its best path, and
    `merged_path_log_weight` is the gain from the other paths with the same text.
    """

    text: str
    scores: Mapping[str, float] = field(default_factory=dict)
    times: Sequence[TimeSpan] = ()
    merged_path_log_weight: float = 0.0


def check_hypotheses(hypotheses: Sequence[Hypothesis], score_weights: ScoreWeights) -> Steps[None]:
    """Raise `InvalidInput` unless all have the same, finite scores, and every weighted one."""
    if not hypotheses:
        raise InvalidInput(FIELD, "is empty; send at least one candidate")
    yield from check_scores(
        (partial("{}[{}].scores".format, FIELD, index), hypothesis.scores)
        for index, hypothesis in enumerate(hypotheses)
    )
    for index, hypothesis in enumerate(hypotheses):
        if hypothesis.times:
            yield from _check_times(f"{FIELD}[{index}].times", hypothesis)
    check_weighed(score_weights, hypotheses[0].scores)


def _check_times(field_name: str, hypothesis: Hypothesis) -> Steps[None]:
    """Raise `InvalidInput` unless there is one valid time span per token."""
    tokens = len(hypothesis.text.split())
    yield
    if len(hypothesis.times) != tokens:
        problem = f"has {len(hypothesis.times)} entries, but the text has {tokens} tokens"
        raise InvalidInput(field_name, problem)
    for index, time in enumerate(hypothesis.times):
        start, end = time.start_seconds, time.end_seconds
        if not (math.isfinite(start) and math.isfinite(end)):
            check_finite(f"{field_name}[{index}].start_seconds", start)
            check_finite(f"{field_name}[{index}].end_seconds", end)
        if start > end:
            raise InvalidInput(f"{field_name}[{index}].start_seconds", "is later than end_seconds")
        yield
