"""Tuning on a development set, from utterances to a verdict."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.answers import GivenAnswers

from wordgate.errors import InvalidFile, InvalidInput
from wordgate.evaluation.error_rate import Counting, Normalise
from wordgate.evaluation.tuning import TuningResult, collect, tune
from wordgate.offline.alternations import parse
from wordgate.offline.reading_report import MIN_SCORE
from wordgate.offline.utterances import Utterance
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.score_weights import ACOUSTIC

LIKELY = {"sun": -1.0, "sea": -1.0, "see": -9.0, "son": -9.0}


def _utterances(count: int = 60) -> list[Utterance]:
    """Return utterances in which the recogniser prefers the wrong homophone."""
    generator = np.random.default_rng(3)
    found = []
    for number in range(count):
        said, misheard = [("sun", "son"), ("sea", "see")][number % 2]
        noise = generator.normal(size=3)
        heard = [
            Hypothesis(misheard, {ACOUSTIC: -10.0 + noise[0], "order": 0.0}),
            Hypothesis(said, {ACOUSTIC: -12.0 + noise[1], "order": -1.0}),
            Hypothesis("some other words", {ACOUSTIC: -30.0 + noise[2], "order": -2.0}),
        ]
        found.append(Utterance(str(number), heard, Path("dev.jsonl"), number + 1, "", said))
    return found


def _tuned(utterances: list[Utterance], likely: dict[str, float] | None = None) -> TuningResult:
    model = GivenAnswers(LIKELY if likely is None else likely, {})
    return tune(collect(model, utterances, Counting()))


def test_a_model_that_knows_better_is_worth_using() -> None:
    """If the model corrects the first candidates, the verdict recommends it."""
    found = _tuned(_utterances())
    assert (found.first, found.oracle) == (1.0, 0.0)
    assert found.acoustic is not None
    assert found.acoustic > 0.5
    assert found.tuned == found.held_out == 0.0
    assert found.without_model > 0.0
    assert found.gain[0] > 0
    assert found.score_weights.lm_weight > 0
    assert found.verdict.startswith("use this model")


def test_the_curve_leads_through_the_tuned_weight() -> None:
    """The curve of LM weights begins at 0 and has the tuned weight with its error rate."""
    found = _tuned(_utterances())
    weights = [weight for weight, _ in found.lm_curve]
    rates = [rate for _, rate in found.lm_curve]
    assert weights[0] == 0
    assert weights == sorted(weights)
    assert weights[-1] >= 2 * found.score_weights.lm_weight
    assert min(rates) == found.tuned == 0.0
    assert rates[0] > 0.5


def test_a_useless_model_is_not_recommended() -> None:
    """If the recogniser's own scores do as well, the verdict advises against the model."""
    found = _tuned(_utterances(), {})
    assert found.verdict.startswith("do not use this model")


def test_a_model_of_pure_chance_is_not_recommended() -> None:
    """A random model is not recommended if reweighted own scores gain as much."""
    generator = np.random.default_rng(0)
    verdicts = []
    for seed in range(6):
        chance = {word: float(generator.normal(scale=3)) for word in ("sun", "son", "sea", "see")}
        found = _tuned(_noisy(seed), chance)
        verdicts.append(found.verdict.startswith("use this model"))
    assert sum(verdicts) <= 1


def _noisy(seed: int) -> list[Utterance]:
    """Return utterances whose acoustic score is right more often than the order."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(100):
        said, other = generator.permutation(["sun", "son", "sea", "see"])[:2]
        scores = generator.normal([1.0, 0.0])
        heard = [Hypothesis(str(said), {ACOUSTIC: scores[0]})]
        heard.append(Hypothesis(str(other), {ACOUSTIC: scores[1]}))
        if generator.random() < 0.5:
            heard.reverse()
        found.append(Utterance(str(number), heard, Path("dev"), number + 1, "", str(said)))
    return found


def test_scores_may_have_any_name() -> None:
    """Scores named `lm` and `words` are ordinary scores with their own weights."""
    named = [
        replace(
            heard,
            hypotheses=[
                Hypothesis(each.text, {"lm": 2 * each.scores[ACOUSTIC], "words": float(place)})
                for place, each in enumerate(heard.hypotheses)
            ],
        )
        for heard in _utterances()
    ]
    found = _tuned(named)
    assert set(found.score_weights.weights) == {"lm", "words"}
    assert found.score_weights.weights["lm"] == 1.0
    assert found.tuned == 0.0


def test_few_utterances_have_no_verdict() -> None:
    """Tuning on one utterance works but gives no verdict."""
    found = _tuned(_utterances(1))
    assert found.tuned == 0.0
    assert found.verdict.startswith("too few utterances")


def test_scores_may_be_ignored() -> None:
    """An ignored score has no weight and is not required in later lines."""
    known = collect(GivenAnswers(LIKELY, {}), _utterances(), Counting(), ["order"])
    assert (known.names[0], len(known.names)) == (ACOUSTIC, 3)
    found = tune(known)
    assert (found.tuned, found.score_weights.weights["order"]) == (0.0, 0.0)
    deaf = tune(collect(GivenAnswers(LIKELY, {}), _utterances(), Counting(), [ACOUSTIC]))
    assert deaf.score_weights.weights[ACOUSTIC] == 0.0


def test_what_cannot_be_tuned_on_is_named() -> None:
    """No utterances, no references and differing scores are rejected."""
    model = GivenAnswers(LIKELY, {})
    with pytest.raises(InvalidInput):
        collect(model, [], Counting())
    known = _utterances(3)
    silent = Utterance("s", known[0].hypotheses, Path("dev.jsonl"), 9)
    with pytest.raises(InvalidFile, match=r"dev.jsonl: no utterance has a reference"):
        collect(model, [silent], Counting())
    assert len(collect(model, [*known, silent], Counting()).lists.lengths) == 3
    other = Utterance("o", [Hypothesis("a")], Path("dev.jsonl"), 9, "", "a")
    with pytest.raises(InvalidFile, match=r"dev.jsonl:9.*scores"):
        collect(model, [*known, other], Counting())


def test_without_scores_words_alone_are_weighed() -> None:
    """Without scores the model has weight 1, and a word insertion bonus is found."""
    bare = [
        Utterance(
            u.utt, [Hypothesis(h.text) for h in u.hypotheses], u.path, u.line, "", u.reference
        )
        for u in _utterances()
    ]
    found = _tuned(bare)
    assert (found.score_weights.lm_weight, found.acoustic) == (1.0, None)
    assert found.tuned == 0.0


def _in_capitals(utterances: list[Utterance]) -> list[Utterance]:
    return [replace(each, reference=f"{each.reference}.".upper()) for each in utterances]


def test_references_in_capitals_say_how_to_compare_them() -> None:
    """If all candidates differ only in case, the error suggests --normalise basic."""
    model = GivenAnswers(LIKELY, {})
    known = collect(model, _in_capitals(_utterances()), Counting())
    assert known.useless is not None
    assert "use --normalise basic" in known.useless
    assert collect(model, _in_capitals(_utterances()), Counting(Normalise.BASIC)).useless is None
    assert collect(model, _utterances(), Counting()).useless is None


def test_some_capitals_are_told_beside_the_verdict() -> None:
    """If some references differ in case, the verdict reports the effect."""
    utterances = _utterances()
    found = _tuned([*_in_capitals(utterances[:12]), *utterances[12:]])
    assert found.oracle == 0.2
    assert "20.00%, with --normalise basic 0.00%" in found.verdict
    assert "--normalise" not in _tuned(utterances).verdict


def test_utterances_without_information_are_not_tuned_on() -> None:
    """Too few utterances, or candidates with equal errors, give no weights."""
    model = GivenAnswers(LIKELY, {})
    few = collect(model, _utterances(29), Counting()).useless
    assert few == "only 29 utterances with a reference; tune on at least 30"
    same = [replace(each, hypotheses=each.hypotheses[:1]) for each in _utterances()]
    useless = collect(model, same, Counting()).useless
    assert useless is not None
    assert useless.startswith("the candidates of each utterance all have the same number of errors")


def test_what_cannot_be_used_may_be_passed_over() -> None:
    """Errors of the reader, of the model and of differing scores are reported per utterance."""
    known = _utterances(31)
    other = Utterance("o", [Hypothesis("a")], Path("dev.jsonl"), 9, "", "a")
    broken = InvalidFile("dev.jsonl", "is broken", 10)
    told: list[InvalidFile] = []
    model = GivenAnswers(LIKELY, {})
    found = collect(model, [*known, other, broken], Counting(), refused=told.append)
    assert len(found.lists.lengths) == 31
    assert [error.line for error in told] == [9, 10]


def test_an_impossible_candidate_is_not_tuned_on() -> None:
    """A candidate with a score of minus infinity is skipped."""
    utterances = _utterances()
    spoilt = Hypothesis("sun", {ACOUSTIC: MIN_SCORE, "order": 0.0})
    with_one = [replace(each, hypotheses=[spoilt, *each.hypotheses]) for each in utterances]
    assert _tuned(with_one) == _tuned(utterances)
    ignored = collect(GivenAnswers(LIKELY, {}), with_one, Counting(), [ACOUSTIC])
    assert len(ignored.lists.errors) == 4 * len(utterances)


def test_alternatives_of_a_reference_are_all_right() -> None:
    """Errors are counted against the nearest alternative."""
    utterances = [replace(each, reference=parse("{ sun / sea }")) for each in _utterances()]
    known = collect(GivenAnswers(LIKELY, {}), utterances, Counting())
    assert known.lists.errors.tolist() == [1.0, 0.0, 3.0] * len(utterances)
