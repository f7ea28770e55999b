"""Checks of encoded messages before they are parsed."""

from random import Random

import pytest

from wordgate.api.v1.prediction_pb2 import PredictRequest
from wordgate.api.v1.rescoring_pb2 import (
    Alternative,
    Arc,
    ConfusionNetwork,
    Lattice,
    NBest,
    NBestCandidate,
    RescoreRequest,
    Slot,
    TimeSpan,
)
from wordgate.errors import InvalidInput
from wordgate.server.rpc.wire_format import check_density, parsed

MAX_BYTES = 1024 * 1024
_RANDOM = Random(1)
USEFUL = {
    "as many arcs as are accepted": RescoreRequest(
        lattice=Lattice(
            arcs=[
                Arc(start_node=n, end_node=n + 1, label="a", scores={"a": 1.0, "b": 2.0})
                for n in range(20_000)
            ]
        )
    ),
    "as many alternatives": RescoreRequest(
        confusion_network=ConfusionNetwork(
            slots=[Slot(alternatives=[Alternative(text="a")]) for _ in range(20_000)]
        )
    ),
    "as many candidates and scores": RescoreRequest(
        n_best=NBest(
            candidates=[
                NBestCandidate(text="a", scores={f"{n}": _RANDOM.random() for n in range(32)})
                for _ in range(1000)
            ]
        )
    ),
    "times": RescoreRequest(
        n_best=NBest(
            candidates=[
                NBestCandidate(text="a", times=[TimeSpan(end_seconds=_RANDOM.random())] * 90)
                for _ in range(1000)
            ]
        )
    ),
    "a text of tabs and quotes": PredictRequest(history='"\t' * 30_000),
}


@pytest.mark.parametrize("name", USEFUL)
def test_useful_messages_pass(name: str) -> None:
    """A message within the other limits is not too dense."""
    data = USEFUL[name].SerializeToString()
    assert len(data) < MAX_BYTES
    assert len(list(check_density(data, MAX_BYTES))) >= len(data) // 65_536


@pytest.mark.parametrize(
    "field", [b"\x1a\x00", b"\x1a\x80\x00", b"\x9a\x00\x00", b"\x1a\x02\x0a\x00", b"\x1a\x03abc"]
)
def test_messages_of_tiny_fields_are_rejected(field: bytes) -> None:
    """The encoding of their length or tag does not matter."""
    with pytest.raises(InvalidInput, match="short fields"):
        list(check_density(field * (MAX_BYTES // len(field)), MAX_BYTES))


@pytest.mark.parametrize("step", [65_535, 65_536, 65_537])
def test_fields_across_steps_are_counted(step: int) -> None:
    """A tag at the end of a step has its length at the start of the next step."""
    data = b"\x00" * (step - 1) + b"\x1a\x00" * 20
    with pytest.raises(InvalidInput):
        list(check_density(data, 8 * 19))


def test_the_field_that_is_wrong_is_named() -> None:
    """An error names a field that is not UTF-8, or else the message type."""
    wrong = PredictRequest(history="abc").SerializeToString().replace(b"abc", b"a\xffc")
    descriptor = PredictRequest.DESCRIPTOR
    with pytest.raises(InvalidInput, match="history: is not valid UTF-8"):
        parsed(wrong, PredictRequest.FromString, descriptor)
    with pytest.raises(InvalidInput, match=r"message: is not a wordgate\.v1\.PredictRequest"):
        parsed(b"\xff", PredictRequest.FromString, descriptor)
    assert parsed(b"", PredictRequest.FromString, descriptor) == PredictRequest()
