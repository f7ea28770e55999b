"""An explained text as plain data: `wordgate explain --json`, and the figures of its pictures."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from wordgate.plots.gates import GateMap

Explained = Mapping[str, Any]
"""The document that `wordgate explain --json` prints."""

GATES = ("input", "forget", "output")


def bits(nats: float) -> float:
    """Convert nats to bits."""
    return nats / math.log(2)


def gate_map(explained: Explained) -> GateMap:
    """Return the gates over the words: the mean over the tokens of each word."""
    words, tokens = explained["words"], explained["tokens"]
    layers = range(len(tokens[0]["layers"]))
    of_words = [
        tokens[word["first_token"] : word["first_token"] + word["token_count"]] for word in words
    ]
    kinds = [(layer, gate) for layer in layers for gate in GATES]
    return GateMap(
        words=[shown(word) for word in words],
        surprisals=[bits(word["surprisal"]) for word in words],
        rows=[f"layer {layer + 1}, {gate}" for layer, gate in kinds],
        values=[[_mean(own, layer, f"{gate}_mean") for own in of_words] for layer, gate in kinds],
    )


def shown(word: Mapping[str, Any]) -> str:
    """Return a word as written; an end of a line or of the text as `<eos>`."""
    return str(word["text"] or word["word"])


def _mean(tokens: Sequence[Mapping[str, Any]], layer: int, figure: str) -> float:
    return math.fsum(token["layers"][layer][figure] for token in tokens) / len(tokens)
