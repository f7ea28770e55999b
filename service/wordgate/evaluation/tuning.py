"""Tune rescoring weights on a development set, with cross-validated error rates.

Held-out figures use weights that were tuned on the other half of the utterances. The search itself
is in `weight_search`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wordgate.engine.results import LanguageModel, RescoringResult
from wordgate.errors import InvalidFile, InvalidInput, WordgateError
from wordgate.evaluation import bootstrap, weight_search
from wordgate.evaluation.bootstrap import FEWEST
from wordgate.evaluation.error_rate import Counting, Normalise, written_otherwise
from wordgate.evaluation.weight_search import Array, NBestLists
from wordgate.offline.alternations import Reference
from wordgate.offline.reading_report import MIN_SCORE, counting
from wordgate.offline.utterances import Utterance, ranked
from wordgate.scoring.rescoring import Transcript
from wordgate.scoring.score_weights import ACOUSTIC, ScoreWeights

LM = "\0lm"
WORDS = "\0words"
"""Features from the language model, with names that cannot clash with scores."""

_MOSTLY_WRONG = 0.5
"""Oracle error rate above which candidates and references are assumed to be different texts."""

WITHIN = 0.001
"""Rise of the error rate that counts as flat: 0.1 percentage points."""

_CURVE_POINTS = 81


@dataclass(frozen=True)
class DevSet:
    """Development set: feature names in order, and the candidates' features and errors.

    `ignored` are existing scores that are not used. `basic_oracle` is the oracle error rate without
    case and punctuation.
    """

    names: list[str]
    lists: NBestLists
    ignored: tuple[str, ...] = ()
    basic_oracle: float | None = None

    @property
    def useless(self) -> str | None:
        """Reason why no weights can be found on these utterances, or None."""
        lists = self.lists
        count, oracle = len(lists.lengths), lists.rate(lists.oracle())
        basic = self.basic_oracle
        is_otherwise = basic is not None and written_otherwise(oracle, basic)
        hint = (
            f"references and candidates differ in case or punctuation: oracle error rate "
            f"{oracle:.2%}, with --normalise basic {basic or 0.0:.2%}; use --normalise basic"
        )
        if is_otherwise and oracle > _MOSTLY_WRONG:
            return hint
        if count < FEWEST:
            found = counting(count, "utterance")
            return f"only {found} with a reference; tune on at least {FEWEST}"
        if not (np.maximum.reduceat(lists.errors, lists.first) > lists.oracle()).any():
            problem = "the candidates of each utterance all have the same number of errors"
            return f"{problem}; {hint if is_otherwise else 'there is nothing to tune'}"
        return None


@dataclass(frozen=True)
class TuningResult:
    """Tuned weights and their error rates. Rates are fractions; intervals are 95 % intervals.

    `held_out` is the two-fold cross-validated error rate; `without_model` is the same with the
    recogniser's own scores only. `interval` is the interval of `held_out`, `gain` that of its
    reduction from the first candidates' rate, `gain_over_own` that of its reduction from
    `without_model`. `flat` is, per weight, the range in which the rate rises by at most `WITHIN`.
    `left_out` lists scores that are linear combinations of others. `lm_curve` has pairs of an LM
    weight and the error rate with it, other weights as tuned. `basic_oracle` is as in `DevSet`.
    """

    score_weights: ScoreWeights
    first: float
    acoustic: float | None
    tuned: float
    held_out: float
    without_model: float
    oracle: float
    interval: list[float]
    gain: list[float]
    gain_over_own: list[float]
    flat: dict[str, list[float]]
    left_out: list[str]
    lm_curve: list[tuple[float, float]]
    utterances: int
    units: int
    basic_oracle: float | None = None

    @property
    def verdict(self) -> str:
        """Recommendation in one sentence."""
        if self.basic_oracle is None or not written_otherwise(self.oracle, self.basic_oracle):
            return self._verdict
        return (
            f"{self._verdict}; many of the errors are in case or punctuation: "
            f"oracle error rate {self.oracle:.2%}, with --normalise basic {self.basic_oracle:.2%}"
        )

    @property
    def _verdict(self) -> str:
        share = (self.first - self.held_out) / max(self.first - self.oracle, 1e-9)
        rates = f"{self.held_out:.2%} held out, {self.first:.2%} for the first candidates"
        if self.utterances < FEWEST:
            return f"too few utterances: {rates}; tune on at least {FEWEST}"
        if self.score_weights.lm_weight == 0 or self.held_out >= self.first:
            return f"do not use this model: {rates}"
        if self.gain[0] <= 0:
            return f"no significant gain: {rates}; tune on more utterances"
        if self.held_out < self.without_model and self.gain_over_own[0] <= 0:
            return (
                f"no significant gain over the recogniser's own scores: {rates}, "
                f"{self.without_model:.2%} with reweighted own scores; tune on more utterances"
            )
        if self.held_out >= self.without_model:
            return (
                f"do not use this model: {rates}, but {self.without_model:.2%} with the "
                "recogniser's own scores, reweighted"
            )
        return f"use this model: {rates}; closes {share:.0%} of the gap to the oracle"


def collect(
    model: LanguageModel,
    utterances: Iterable[Utterance | InvalidFile],
    error_counting: Counting,
    ignored: Sequence[str] = (),
    refused: Callable[[InvalidFile], None] | None = None,
) -> DevSet:
    """Score all candidates with the model and collect their features, except `ignored` scores.

    Skips utterances without a reference, and candidates with a score of minus infinity. Passes the
    error of an invalid utterance, or of one with different scores than those before it, to
    `refused`; without `refused`, raises it. Raises `InvalidFile` if no utterance has a reference.
    """
    gathered = _Gathered(ignored)
    source = _Referenced(utterances)
    for result in ranked(model, source, ScoreWeights()):
        try:
            if isinstance(result, InvalidFile):
                raise result
            gathered.add(*result)
        except InvalidFile as error:
            if refused is None:
                raise
            refused(error)
    if not gathered.sizes:
        raise source.problem
    return gathered.development(error_counting)


class _Referenced:
    """Iterates over the utterances that have a reference."""

    def __init__(self, utterances: Iterable[Utterance | InvalidFile]) -> None:
        self._utterances = utterances
        self.problem: WordgateError = InvalidInput("input", "has no utterance")

    def __iter__(self) -> Iterator[Utterance | InvalidFile]:
        for utterance in self._utterances:
            if isinstance(utterance, Utterance) and utterance.reference is None:
                problem = 'no utterance has a reference; add "reference", or --references FILE'
                self.problem = InvalidFile(utterance.path, problem)
                continue
            yield utterance


class _Gathered:
    """Collects the candidates of utterances in columns."""

    def __init__(self, ignored: Sequence[str]) -> None:
        self._ignored = ignored
        self._names: list[str] = []
        self._present: set[str] = set()
        self._features: list[list[float]] = []
        self.sizes: list[int] = []
        self._utterances: list[Reference] = []
        self._references: list[Reference] = []
        self._heard: list[str] = []

    def add(self, utterance: Utterance, answer: RescoringResult) -> None:
        """Add an utterance's candidates. Raises `InvalidFile` if they have different scores."""
        present = utterance.hypotheses[0].scores
        scores = [name for name in present if name not in self._ignored]
        if not self._names:
            self._names = _ordered(scores)
        elif set(_ordered(scores)) != set(self._names):
            problem = f"scores ({', '.join(scores)}) differ from those of the lines before"
            raise InvalidFile(utterance.path, problem, utterance.line)
        self._present.update(present)
        transcripts = sorted(answer.ranking.transcripts, key=lambda transcript: transcript.index)
        possible = [each for each in transcripts if _is_possible(each, scores)] or transcripts
        for transcript in possible:
            own = {LM: transcript.log_prob, WORDS: float(transcript.word_count)}
            values = {**transcript.scores, **own}
            self._features.append([values[name] for name in self._names])
        self.sizes.append(len(possible))
        reference = utterance.reference or ""
        self._utterances.append(reference)
        self._references.extend([reference] * len(possible))
        self._heard.extend(transcript.text for transcript in possible)

    def development(self, error_counting: Counting) -> DevSet:
        """Return the development set."""
        lists = self._lists(error_counting)
        basic_oracle = None
        if error_counting.normalise is Normalise.NONE:
            basic = self._lists(replace(error_counting, normalise=Normalise.BASIC))
            basic_oracle = basic.rate(basic.oracle())
        used = tuple(sorted(self._present.intersection(self._ignored)))
        return DevSet(self._names, lists, used, basic_oracle)

    def _lists(self, error_counting: Counting) -> NBestLists:
        lengths = [error_counting.length(reference) for reference in self._utterances]
        return NBestLists(
            np.array(self._features, dtype=np.float64),
            np.array(error_counting.errors(self._references, self._heard), dtype=np.float64),
            np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64),
            np.array(lengths, dtype=np.float64),
        )


def _is_possible(transcript: Transcript, scores: Iterable[str]) -> bool:
    return all(transcript.scores[name] > MIN_SCORE / 2 for name in scores)


def tune(development: DevSet) -> TuningResult:
    """Find the weights with the fewest errors, and cross-validate them."""
    names, lists = development.names, development.lists
    left_out = weight_search.dependent(lists.features, lists.first)
    anchor = _anchor(development, left_out)
    free = [p for p in range(len(names)) if p != anchor and p not in left_out]
    lm = names.index(LM)
    fit = _CrossValidation(lists, free, anchor, lm)
    weights = fit.weights(lists)
    errors = lists.errors_of(weights)
    first = lists.errors[lists.first]
    held_out = fit.held_out(free)
    without = fit.held_out([place for place in free if place != lm], without=lm)
    scale = weight_search.posterior_scale(lists, weights)
    flat = {
        _public(names[place]): weight_search.flat_range(
            lists, weights, place, fit.scales[place], WITHIN
        )
        for place in free
    }
    own = dict.fromkeys(development.ignored, 0.0)
    own |= {name: float(weights[names.index(name)]) for name in names if name not in {LM, WORDS}}
    return TuningResult(
        ScoreWeights(float(weights[lm]), float(weights[names.index(WORDS)]), own, (), scale),
        lists.rate(first),
        _acoustic_rate(names, lists),
        lists.rate(errors),
        lists.rate(held_out),
        lists.rate(without),
        lists.rate(lists.oracle()),
        bootstrap.interval(held_out, lists.lengths),
        bootstrap.interval(first - held_out, lists.lengths),
        bootstrap.interval(without - held_out, lists.lengths),
        flat,
        [_public(names[place]) for place in left_out],
        _lm_curve(lists, weights, lm, fit.scales[lm]),
        len(lists.lengths),
        int(lists.lengths.sum()),
        development.basic_oracle,
    )


def _lm_curve(
    lists: NBestLists, weights: Array, lm: int, scale: float
) -> list[tuple[float, float]]:
    """Return error rates from an LM weight of 0 to twice the tuned one, or to 2 scales."""
    values = np.linspace(0.0, 2.0 * max(float(weights[lm]), scale), _CURVE_POINTS).tolist()
    return list(zip(values, weight_search.rates_along(lists, weights, lm, values), strict=True))


class _CrossValidation:
    """Weight search on all utterances, or on each half for held-out errors."""

    def __init__(self, lists: NBestLists, free: Sequence[int], anchor: int, lm: int) -> None:
        self._lists = lists
        self._free = free
        self._lm = lm
        self.scales = weight_search.scales_of(lists.features, lists.first, anchor)
        self._start = np.zeros(lists.features.shape[1])
        self._start[anchor] = 1.0

    def weights(self, lists: NBestLists) -> Array:
        return weight_search.search(lists, self._start, self._free, self.scales, self._lm)

    def held_out(self, free: Sequence[int], without: int | None = None) -> Array:
        """Return the errors of each utterance with weights tuned on the other half."""
        start = self._start.copy()
        if without is not None:
            start[without] = 0.0
        errors = np.zeros(len(self._lists.lengths))
        halves = [range(half, len(errors), 2) for half in (0, 1)]
        for held_out, other in (halves, halves[::-1]):
            if held_out:
                part = self._lists.part(other or held_out)
                weights = weight_search.search(part, start, free, self.scales, self._lm)
                errors[list(held_out)] = self._lists.part(held_out).errors_of(weights)
        return errors


def _ordered(scores: Iterable[str]) -> list[str]:
    """Return feature names: the acoustic score, then the model's features, then other scores."""
    others = sorted(name for name in scores if name != ACOUSTIC)
    return [*([ACOUSTIC] if ACOUSTIC in scores else []), LM, WORDS, *others]


def _anchor(development: DevSet, left_out: Sequence[int]) -> int:
    """Return the feature with weight 1: a score, the acoustic one if possible, else the model's."""
    names = development.names
    own = [p for p, name in enumerate(names) if name not in {LM, WORDS} and p not in left_out]
    return own[0] if own else names.index(LM)


def _acoustic_rate(names: Sequence[str], lists: NBestLists) -> float | None:
    if names[0] != ACOUSTIC:
        return None
    return lists.rate(lists.errors_of(np.eye(len(names))[0]))


def _public(name: str) -> str:
    return {LM: "lm_weight", WORDS: "word_insertion_bonus"}.get(name, name)
