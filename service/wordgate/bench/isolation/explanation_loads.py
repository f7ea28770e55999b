"""The most expensive Explain requests within the limits."""

from collections.abc import Mapping
from random import Random

from wordgate.api.v1.explanation_pb2 import ExplainRequest
from wordgate.bench.isolation.load import EXPLAIN, MARK, Load, Made
from wordgate.bench.isolation.texts import characters

_LONG_WORDS = 83
"""Words of four tokens each; with `MARK` and words of one token, 255 words have 512 tokens."""

_SHORT_WORDS = 171


def _text(random: Random) -> str:
    """Return the most words and nearly the most tokens, beginning with `MARK`."""
    words = [*characters(random, _LONG_WORDS, 0x1E922, 0x1E943), *["a"] * _SHORT_WORDS]
    random.shuffle(words)
    return f"{MARK} {' '.join(words)}"


def _explain(**options: object) -> Made:
    def made(random: Random) -> Load:
        request = ExplainRequest(text=_text(random), **options)  # type: ignore[arg-type]
        return Load(EXPLAIN, (request.SerializeToString(),))

    return made


def _units(random: Random) -> Load:
    """Return as many activations as a model of two layers of 512 may: 96 tokens."""
    words = characters(random, 20, 0x1E922, 0x1E943)
    request = ExplainRequest(text=f"{MARK} {' '.join(words)}", return_units=True, top_k=100)
    return Load(EXPLAIN, (request.SerializeToString(),))


EXPLAINING: Mapping[str, Made] = {
    "explain_alternatives": _explain(top_k=100, without=MARK),
    "explain_activations": _explain(top_k=0, without=MARK),
    "explain_units": _units,
}
"""Loads of `ModelService.Explain`."""
