"""Comparisons of two models against values worked out by hand."""

import math

import pytest
from tests.evaluation.answers import GivenAnswers

from wordgate.decoding.options import Options
from wordgate.evaluation.comparison import Comparison, compare_messages, compare_texts
from wordgate.evaluation.keystroke_savings import measure_each
from wordgate.evaluation.perplexity import surprisals

LINES = ["sun", "sun sun sea", "sun sea sea sun"] * 20


def _compared(old: dict[str, float], new: dict[str, float], lines: list[str]) -> Comparison:
    texts = [surprisals(GivenAnswers(each, {}), lines) for each in (old, new)]
    return compare_texts(*texts)


def test_a_constant_gain_per_unit_has_no_spread() -> None:
    """One text, repeated: perplexities change by exactly exp(-gain / units), in every resample."""
    found = _compared({"sun": -3.0}, {"sun": -2.0}, ["sun"] * 40)
    word = found.figures["word_perplexity"]
    assert (word.old, word.new) == pytest.approx((math.exp(4), math.exp(3)))
    assert word.change == pytest.approx(math.exp(-1) - 1)
    assert word.interval == pytest.approx([word.change, word.change])
    character = found.figures["character_perplexity"]
    assert character.change == pytest.approx(math.exp(-1 / 4) - 1)
    size = found.figures["bits_per_byte"]
    assert (size.old, size.new) == pytest.approx((4 / 4 / math.log(2), 3 / 4 / math.log(2)))
    assert size.change == pytest.approx(-0.25)
    assert (found.share_better, found.share_worse, found.units) == (1.0, 0.0, 40)
    assert found.verdict == "better"


def test_the_other_way_round_it_is_worse() -> None:
    """Swapped models swap the shares and the verdict."""
    better, worse = {"sun": -1.0, "sea": -1.0}, {"sun": -1.5, "sea": -1.0}
    found = _compared(better, worse, LINES)
    back = _compared(worse, better, LINES)
    assert (found.verdict, back.verdict) == ("worse", "better")
    assert (found.share_better, found.share_worse) == (back.share_worse, back.share_better)


def test_gains_that_cancel_show_no_difference() -> None:
    """Half the texts gain one nat and half lose one: better in about half the resamples."""
    found = _compared({"sun": -1.0, "sea": -2.0}, {"sun": -2.0, "sea": -1.0}, ["sun", "sea"] * 50)
    assert found.verdict == "no difference shown"
    assert found.figures["word_perplexity"].change == pytest.approx(0.0)
    low, high = found.figures["word_perplexity"].interval
    # The mean of 100 values of ±1 has the standard error 0.1.
    assert math.log1p(low) == pytest.approx(-0.196, abs=0.02)
    assert math.log1p(high) == pytest.approx(0.196, abs=0.02)
    assert found.share_better == pytest.approx(0.46, abs=0.03)  # 8 % are ties


def test_a_model_does_not_differ_from_itself() -> None:
    """Every resample is a tie."""
    found = _compared({"sun": -1.0}, {"sun": -1.0}, LINES)
    assert (found.share_better, found.share_worse) == (0.0, 0.0)
    assert found.verdict == "no difference shown"


def test_few_texts_tell_nothing() -> None:
    """Below 30 texts there is no verdict, although one text alone has no spread."""
    assert _compared({"sun": -3.0}, {"sun": -2.0}, ["sun"] * 29).verdict == "too few to tell"
    assert _compared({"sun": -3.0}, {"sun": -2.0}, ["sun"] * 30).verdict == "better"


def test_messages_are_compared_by_keys() -> None:
    """A model that offers `sun` at once saves two of three keys; the other saves none."""
    messages = ["sun"] * 40
    options = Options(max_suggestions=3)
    models = [GivenAnswers({}, {"": given}) for given in ((), ("sun",))]
    old, new = (measure_each(model, messages, options) for model in models)
    found = compare_messages(old, new)
    savings = found.figures["keystroke_savings"]
    assert (savings.old, savings.new) == pytest.approx((0.0, 2 / 3))
    assert savings.interval == pytest.approx([2 / 3, 2 / 3])
    assert found.verdict == "better"


def test_the_verdict_on_messages_is_case_sensitive() -> None:
    """`Sun` for `sun` saves keys only when case is ignored, and shows no difference."""
    messages = ["sun"] * 40
    models = [GivenAnswers({}, {"": given}) for given in ((), ("Sun",))]
    old, new = (measure_each(model, messages, Options()) for model in models)
    found = compare_messages(old, new)
    assert found.figures["keystroke_savings"].change == 0.0
    ignoring = found.figures["keystroke_savings_case_insensitive"]
    assert ignoring.change == pytest.approx(2 / 3)
    assert found.verdict == "no difference shown"
