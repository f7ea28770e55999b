"""Figures of a server: how its answers differ, and how fast it gives them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from servers import Server
from texts import Texts

EARLY_WORDS = 8
"""Early predictions are after histories of up to 8 words."""


@dataclass(frozen=True)
class Answers:
    """The log-probability of each candidate of some utterances, and the likeliest next tokens."""

    log_probs: Sequence[Sequence[float]]
    likeliest: Sequence[Mapping[int, float]]

    def difference(self, other: "Answers") -> float:
        """Return the largest difference in the log-probability of a candidate or a token."""
        pairs = [
            pair
            for ours, theirs in zip(self.log_probs, other.log_probs, strict=True)
            for pair in zip(ours, theirs, strict=True)
        ]
        for tokens, others in zip(self.likeliest, other.likeliest, strict=False):
            pairs += [(tokens[token], others[token]) for token in tokens.keys() & others.keys()]
        return max(abs(ours - theirs) for ours, theirs in pairs)


@dataclass
class Measured:
    """Figures of one server, one per round; times in milliseconds."""

    largest_difference: list[float] = field(default_factory=list)
    candidates_per_second: list[float] = field(default_factory=list)
    score_p50_ms: list[float] = field(default_factory=list)
    score_p99_ms: list[float] = field(default_factory=list)
    next_word_p50_ms: list[float] = field(default_factory=list)
    next_word_p99_ms: list[float] = field(default_factory=list)
    next_word_early_p50_ms: list[float] = field(default_factory=list)

    def compare(self, server: Server, answers: Answers, reference: Answers) -> None:
        """Record the difference from the reference. Raises `RuntimeError` if it is too large."""
        difference = answers.difference(reference)
        if server.tolerance is not None and difference > server.tolerance:
            raise RuntimeError(f"{server.name}: log-probabilities differ by {difference}")
        self.largest_difference.append(difference)

    def add_scoring(self, seconds: float, each: Sequence[float], texts: Texts) -> None:
        """Record one round of scoring: the seconds of all utterances and of each."""
        self.candidates_per_second.append(texts.candidates / seconds)
        self.score_p50_ms.append(_percentile(each, 50) * 1e3)
        self.score_p99_ms.append(_percentile(each, 99) * 1e3)

    def add_predictions(self, each: Sequence[float], texts: Texts) -> None:
        """Record one round of predictions: the seconds of each; early ones are after few words."""
        pairs = zip(each, texts.histories, strict=True)
        early = [seconds for seconds, history in pairs if len(history.split()) <= EARLY_WORDS]
        self.next_word_early_p50_ms.append(_percentile(early, 50) * 1e3)
        self.next_word_p50_ms.append(_percentile(each, 50) * 1e3)
        self.next_word_p99_ms.append(_percentile(each, 99) * 1e3)

    def summary(self) -> dict[str, Any]:
        """Return the median of each figure and its values by round."""
        rounds = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: {"median": statistics.median(values), "rounds": values}
            for name, values in rounds.items()
            if values
        }


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
