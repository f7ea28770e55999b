"""Lattices and confusion networks as messages and back."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wordgate.errors import InvalidInput
from wordgate.lm.requests import YIELD, ModelTask, T
from wordgate.protocol.lattices import (
    decode_confusion_network,
    decode_lattice,
    encode_confusion_network,
    encode_lattice,
)
from wordgate.protocol.limits import Limits
from wordgate.scoring.lattice import Alternative, Arc, ConfusionNetwork, Lattice

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
scores = st.fixed_dictionaries({"acoustic_log_prob": st.floats(-1e6, 1e6)})
arcs = st.builds(Arc, st.just(0), st.just(1), texts, scores)
lattices = st.builds(
    Lattice,
    st.lists(arcs, min_size=1, max_size=60),
    st.just(0),
    st.just(1),
    st.sampled_from([[], [0.0, 1.5]]),
    st.lists(texts, max_size=3),
    st.booleans(),
    st.booleans(),
)
networks = st.builds(
    ConfusionNetwork,
    st.lists(
        st.lists(st.builds(Alternative, texts, scores), min_size=1, max_size=4),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from(["", " "]),
    st.just([]),
    st.booleans(),
)


def _result(task: ModelTask[T]) -> T:
    """Run a task that asks nothing of a model."""
    try:
        while True:
            assert next(task) is YIELD
    except StopIteration as end:
        result: T = end.value
        return result


@given(lattices)
def test_lattices_round_trip(lattice: Lattice) -> None:
    """The server reads the lattice of the client."""
    assert _result(decode_lattice(encode_lattice(lattice), Limits())) == lattice


@given(networks)
def test_confusion_networks_round_trip(network: ConfusionNetwork) -> None:
    """The server reads the network of the client."""
    message = encode_confusion_network(network)
    assert _result(decode_confusion_network(message, Limits())) == network


@pytest.mark.parametrize(
    ("arc", "field"),
    [
        (Arc(0, 1, "a", {"s": math.nan}), "lattice.arcs[0].scores"),
        (Arc(0, 1, "\ud800", {"s": 0.0}), "lattice.arcs[0].label"),
        (Arc(0, 1, "a", {"\ud800": 0.0}), "lattice.arcs[0].scores"),
        (Arc(-1, 1, "a", {"s": 0.0}), "lattice.arcs[0].start_node"),
    ],
)
def test_clients_refuse_invalid_lattices(arc: Any, field: str) -> None:
    """Before anything is sent, naming the field."""
    with pytest.raises(InvalidInput) as caught:
        encode_lattice(Lattice([arc], 0, 1))
    assert caught.value.field.startswith(field)


def test_clients_refuse_invalid_confusion_networks() -> None:
    """Before anything is sent, naming the field."""
    with pytest.raises(InvalidInput) as caught:
        encode_confusion_network(ConfusionNetwork([[Alternative("\ud800", {"s": 0.0})]]))
    assert caught.value.field.startswith("confusion_network.slots[0]")
