"""Requests that are rejected, and requests of about 1 MB per possible outcome of a call."""

from collections.abc import Mapping
from random import Random

from wordgate.bench.isolation.load import (
    EMPTY_FIELDS,
    MAX_BYTES,
    PREDICT,
    RESCORE,
    SCORE,
    STREAM_GENERATE,
    STREAM_PREDICT,
    STREAM_RESCORE,
    Load,
    Made,
    empties,
    fixed,
    letters,
    nested,
)
from wordgate.bench.isolation.scoring_loads import score_request
from wordgate.bench.isolation.texts import (
    words,
)


def _distinct_entries(field: int) -> bytes:
    """Return map entries with distinct keys, about 1 MB."""
    return b"".join(nested(field, 1, content=letters(number)[:4]) for number in range(130_000))


def _session_lists(_: Random) -> Load:
    options = empties(3, 65_000) + empties(4, 65_000)
    return Load(STREAM_PREDICT, (b"",), nested(2, 7, content=options), is_stream=True)


def _stream_rescore_slot(_: Random) -> Load:
    utterance = nested(3, 3, 1, content=empties(1))
    return Load(
        STREAM_RESCORE,
        (utterance,),
        nested(2, content=b""),
        is_stream=True,
        pipelined=True,
    )


def _score_too_long(random: Random) -> Load:
    """Every candidate has too many tokens, which is found only at its end."""
    return Load(SCORE, (score_request(words(random, 64_000) for _ in range(16)),))


def _long_score(random: Random, model: str = "") -> bytes:
    return score_request((words(random, 1000) for _ in range(1000)), model=model)


REJECTED: Mapping[str, Made] = {
    "score_dense": fixed(SCORE, empties(3, EMPTY_FIELDS)),
    "score_empties": fixed(SCORE, empties(3)),
    "score_too_long": _score_too_long,
    "rescore_one_slot": fixed(RESCORE, nested(6, 1, content=empties(1))),
    "rescore_slots": fixed(RESCORE, nested(6, content=empties(1))),
    "rescore_times": fixed(RESCORE, nested(5, 1, content=empties(3))),
    "rescore_candidates": fixed(RESCORE, nested(5, content=empties(1))),
    "rescore_network_times": fixed(
        RESCORE,
        nested(6, content=nested(1, 1, content=b"") + nested(3, content=bytes(1_000_000))),
    ),
    "rescore_entries": fixed(RESCORE, nested(5, 1, content=_distinct_entries(2))),
    "rescore_weights": fixed(RESCORE, nested(2, content=_distinct_entries(3))),
    "rescore_boosts": fixed(RESCORE, nested(2, content=empties(4))),
    "lattice_arcs": fixed(RESCORE, nested(7, content=empties(1))),
    "lattice_node_times": fixed(
        RESCORE, nested(7, content=empties(1, 1) + nested(4, content=bytes(1_000_000)))
    ),
    "lattice_null_labels": fixed(
        RESCORE, nested(7, content=empties(1, 1) + nested(5, content=empties(1)))
    ),
    "predict_blocked": fixed(PREDICT, nested(8, content=empties(3))),
    "predict_boosted": fixed(PREDICT, nested(8, content=empties(4))),
    "session_lists": _session_lists,
    "stream_rescore_slot": _stream_rescore_slot,
    "generate_stop_words": fixed(STREAM_GENERATE, empties(9)),
    "not_found": lambda random: Load(SCORE, (_long_score(random, "none"),)),
    "malformed": fixed(SCORE, empties(3) + b"\x1a\xff"),
}
"""Requests that are rejected after as much work as possible."""


OUTCOMES: Mapping[str, Made] = {
    "answered": lambda _: Load(PREDICT, (nested(200, content=bytes(1_000_000)),)),
    "answered_swollen": lambda _: Load(
        PREDICT, (empties(15) + nested(200, content=bytes(700_000)),)
    ),
    "rejected": lambda random: Load(
        SCORE, (_long_score(random),), server_options=("--max-queue-delay-seconds", "0")
    ),
    "too_large": lambda _: Load(SCORE, (bytes(MAX_BYTES + 1),)),
    "invalid": fixed(SCORE, empties(3, EMPTY_FIELDS)),
    "invalid_slot": fixed(RESCORE, nested(6, 1, content=empties(1))),
    "malformed": fixed(SCORE, empties(3) + b"\x1a\xff"),
    "cancelled": lambda random: Load(SCORE, (_long_score(random),), cancel_seconds=0.02),
    "late": lambda random: Load(SCORE, (_long_score(random),), timeout_seconds=0.1),
    "not_found": lambda random: Load(SCORE, (_long_score(random, "none"),)),
}
"""A request of about 1 MB per possible outcome of a call."""
