"""Serialized requests that one client repeats, and their wire format.

Messages are built once and sent as bytes, so the client needs little CPU time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from wordgate.bundle.protobuf_fields import bytes_field, varint

SCORE = "/wordgate.v1.ScoringService/Score"
RESCORE = "/wordgate.v1.ScoringService/Rescore"
STREAM_RESCORE = "/wordgate.v1.ScoringService/StreamRescore"
PREDICT = "/wordgate.v1.PredictionService/Predict"
STREAM_PREDICT = "/wordgate.v1.PredictionService/StreamPredict"
STREAM_GENERATE = "/wordgate.v1.PredictionService/StreamGenerate"
LIST_MODELS = "/wordgate.v1.ModelService/ListModels"
EXPLAIN = "/wordgate.v1.ModelService/Explain"
GET_MODEL = "/wordgate.v1.ModelService/GetModel"

MAX_BYTES = 1024 * 1024
"""The server's default message size limit."""

MARK = "qzqzqzqz"
"""Placeholder for letters that differ per message, to avoid cache hits."""

EMPTY_FIELDS = 500_000
"""Number of empty 2-byte fields that nearly fill a message. It is rejected before parsing."""

_MAX_EMPTY_FIELDS = 131_000
"""Slightly below the maximum number of fields per message."""


@dataclass(frozen=True)
class Load:
    """The requests that one client repeats.

    Unary calls send the messages in rotation, one per call. A stream sends `first` once, then the
    messages in rotation until it is stopped; `pipelined` streams do not wait for responses.
    """

    path: str
    messages: tuple[bytes, ...]
    first: bytes = b""
    is_stream: bool = False
    pipelined: bool = False
    in_flight: int = 1
    timeout_seconds: float | None = None
    cancel_seconds: float | None = None
    server_options: tuple[str, ...] = ()

    def message(self, number: int) -> bytes:
        """Return message `number`, with unique letters.

        In a stream it has the number as its sequence, which is field 1 in both kinds of streams.
        """
        chosen = self.messages[number % len(self.messages)]
        numbered = chosen.replace(MARK.encode(), letters(number))
        return numbered + b"\x08" + varint(number + 1) if self.is_stream else numbered


Made = Callable[[Random], Load]


def letters(number: int) -> bytes:
    """Return letters that differ per number, as many as `MARK` has."""
    return bytes(ord("a") + number // 26**place % 26 for place in range(len(MARK)))


def nested(*fields: int, content: bytes) -> bytes:
    """Return nested length-delimited fields."""
    for number in reversed(fields):
        content = bytes_field(number, content)
    return content


def empties(number: int, count: int = _MAX_EMPTY_FIELDS) -> bytes:
    """Return many empty length-delimited fields; the field number must be below 16."""
    return bytes([number << 3 | 2, 0]) * count


def fixed(path: str, *messages: bytes) -> Made:
    """Return a load whose messages do not depend on the random numbers."""
    return lambda _: Load(path, messages)
