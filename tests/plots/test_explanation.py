"""Figures of an explained text for pictures."""

import math

import pytest

from wordgate.plots.explanation import bits, gate_map


def _layer(forget: float) -> dict[str, float]:
    return {"input_mean": 0.25, "forget_mean": forget, "output_mean": 0.75}


EXPLAINED = {
    "words": [
        {"text": "Sunny", "word": "sunny", "surprisal": math.log(8), "first_token": 0}
        | {"token_count": 2},
        {"text": "", "word": "<eos>", "surprisal": 0.0, "first_token": 2, "token_count": 1},
    ],
    "tokens": [
        {"layers": [_layer(0.2), _layer(0.5)]},
        {"layers": [_layer(0.4), _layer(1.0)]},
        {"layers": [_layer(0.9), _layer(0.1)]},
    ],
}


def test_gates_of_a_word_are_the_mean_over_its_tokens() -> None:
    """There is one row per layer and gate; ends are shown as `<eos>`."""
    gates = gate_map(EXPLAINED)
    assert gates.words == ["Sunny", "<eos>"]
    assert gates.surprisals == [pytest.approx(3.0), 0.0]
    assert gates.rows[:3] == ["layer 1, input", "layer 1, forget", "layer 1, output"]
    assert gates.rows[4] == "layer 2, forget"
    assert gates.values[1] == [pytest.approx(0.3), 0.9]
    assert gates.values[4] == [pytest.approx(0.75), 0.1]
    assert gates.values[5] == [0.75, 0.75]


def test_bits_are_logarithms_to_base_2() -> None:
    """A probability of 1/8 is 3 bits."""
    assert bits(-math.log(1 / 8)) == pytest.approx(3.0)
