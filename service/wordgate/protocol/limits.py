"""Limits of requests, declared once with their units and descriptions.

The servicers check requests against them, `ListModels` and `GetModel` return them, and the table in
docs/serving.md is generated from them.
"""

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass, field, fields
from typing import Any

from wordgate.api.v1.prediction_pb2 import SuggestionOptions
from wordgate.decoding import generation, options
from wordgate.engine.scheduler_policy import DEFAULT_MAX_QUEUED_ROWS
from wordgate.errors import InvalidInput
from wordgate.scoring import explained_text, explanation, lattice_nbest, scoring


def _limit(value: int, unit: str, bounds: str) -> Any:
    return field(default=value, metadata={"unit": unit, "bounds": bounds})


@dataclass(frozen=True)
class Limits:
    """Limits of a server. Each is the greatest accepted value."""

    max_message_bytes: int = _limit(1024 * 1024, "bytes", "size of one serialised request message")
    max_history_bytes: int = _limit(64 * 1024, "bytes", "size of `history`")
    max_prefix_bytes: int = _limit(1024, "bytes", "size of `prefix`")
    max_suggestions: int = _limit(
        options.MAX_SUGGESTIONS,
        "suggestions",
        "suggested words per response, also corrections; `top_k` of generated text and "
        "of explanations",
    )
    max_expansions: int = _limit(options.MAX_EXPANSIONS, "rows", "output-layer rows per search")
    max_listed_words: int = _limit(
        options.MAX_LISTED_WORDS,
        "words",
        "blocked words, and as many boosted words, per request or session",
    )
    max_listed_word_bytes: int = _limit(256, "bytes", "size of one blocked or boosted word")
    max_candidates: int = _limit(1000, "candidates", "candidates per request")
    max_candidate_tokens: int = _limit(
        scoring.MAX_CANDIDATE_TOKENS, "tokens", "tokens per candidate"
    )
    max_candidate_bytes: int = _limit(
        scoring.MAX_CANDIDATE_BYTES, "bytes", "size of one candidate, or of one transcript"
    )
    max_returned_words: int = _limit(
        scoring.MAX_RETURNED_WORDS, "words", "words of all candidates, with `return_words`"
    )
    max_explained_bytes: int = _limit(16 * 1024, "bytes", "size of a text to explain")
    max_explained_words: int = _limit(
        explained_text.MAX_EXPLAINED_WORDS,
        "words",
        "words of a text to explain, including punctuation marks and ends of lines",
    )
    max_explained_tokens: int = _limit(
        explained_text.MAX_EXPLAINED_TOKENS, "tokens", "tokens of a text to explain"
    )
    max_explained_units: int = _limit(
        explanation.MAX_EXPLAINED_UNITS,
        "activations",
        "activations of an explanation with `return_units`: tokens * layers * 5 * width",
    )
    max_session_text_bytes: int = _limit(64 * 1024, "bytes", "size of the text of a typing session")
    max_model_bytes: int = _limit(256, "bytes", "size of `model`, a model's name")
    max_sessions: int = _limit(10_000, "sessions", "open typing sessions")
    max_session_seconds: int = _limit(
        86_400,
        "seconds",
        "session lifetime, minus up to 10 % jitter; clients then open a new session",
    )
    max_sessions_bytes: int = _limit(
        256 * 1024 * 1024,
        "bytes",
        "texts and listed words of all sessions; the first 8 KiB of each session do not count, "
        "listed words count 12 times",
    )
    max_scores: int = _limit(
        32, "scores", "named scores per candidate, also score weights per request"
    )
    max_score_name_bytes: int = _limit(64, "bytes", "size of the name of a score")
    max_boosts: int = _limit(1000, "phrases", "boosted phrases per request")
    max_boost_phrase_bytes: int = _limit(256, "bytes", "size of one boosted phrase")
    max_rescore_streams: int = _limit(100, "streams", "open rescoring streams")
    max_arcs: int = _limit(
        20_000, "arcs", "arcs per lattice, or alternatives per confusion network"
    )
    max_label_bytes: int = _limit(
        1024, "bytes", "size of one label, alternative or null-label pattern"
    )
    max_null_labels: int = _limit(100, "patterns", "null-label patterns per lattice")
    max_transcripts: int = _limit(100, "transcripts", "best transcripts that a request may ask for")
    max_beam: int = _limit(1000, "hypotheses", "beam width of a lattice search")
    max_lattice_expansions: int = _limit(
        20_000, "hypotheses", "partial hypotheses that one lattice search may expand"
    )
    max_lattice_tokens: int = _limit(
        lattice_nbest.MAX_LATTICE_TOKENS,
        "tokens",
        "tokens of all distinct words of a lattice or a confusion network together",
    )
    max_generated_words: int = _limit(
        generation.MAX_GENERATED_WORDS,
        "words",
        "words per generated text, including punctuation marks",
    )
    max_stop_words: int = _limit(100, "words", "stop words per generated text")
    max_stop_word_bytes: int = _limit(256, "bytes", "size of one stop word")
    max_generation_streams: int = _limit(1000, "streams", "open generation streams")
    max_concurrent_rpcs: int = _limit(
        20_000, "RPCs", "RPCs in progress, including sessions and streams"
    )
    max_connection_calls: int = _limit(
        5000, "RPCs", "RPCs in progress per connection; clients hold back further ones"
    )
    max_header_bytes: int = _limit(
        16 * 1024, "bytes", "size of the headers (metadata) of an RPC, plus 32 bytes per header"
    )
    max_silence_seconds: int = _limit(
        60, "seconds", "time from the start of an RPC to its first message"
    )
    max_silent_calls: int = _limit(
        200,
        "RPCs",
        "RPCs without a first message that may wait for `max_silence_seconds`; further ones end "
        "after 2 seconds",
    )
    max_in_flight_bytes: int = _limit(
        3 * 1024 * 1024,
        "bytes",
        "size of the messages above 16 KiB of all requests in progress; a request may use half of "
        "the remaining bytes, and may take 200 times its size in memory",
    )
    max_in_flight_stream_bytes: int = _limit(
        1024 * 1024,
        "bytes",
        "size of the messages above 16 KiB in progress of all streams; further messages wait",
    )
    max_unread_seconds: int = _limit(
        60, "seconds", "time for which a response of a stream waits for its client to read it"
    )
    max_watch_streams: int = _limit(1000, "streams", "open health-watch and reflection streams")
    max_queued_rows: int = _limit(
        DEFAULT_MAX_QUEUED_ROWS,
        "rows",
        "rows queued for the model, of the same or a higher priority, before new requests are "
        "rejected; a request that has not started counts as one row",
    )


@dataclass(frozen=True)
class LimitRow:
    """A row of the table of limits in the docs."""

    name: str
    value: int
    unit: str
    bounds: str


def table(limits: Limits | None = None) -> Iterator[LimitRow]:
    """Yield a row for each limit."""
    for entry in fields(Limits):
        value = getattr(limits or Limits(), entry.name)
        yield LimitRow(entry.name, value, entry.metadata["unit"], entry.metadata["bounds"])


def check_bytes(field_name: str, text: str, most: int) -> None:
    """Raise `InvalidInput` if a text has more than `most` bytes in UTF-8."""
    size = len(text) if len(text) > most or text.isascii() else len(text.encode("utf-8"))
    if size > most:
        raise InvalidInput(field_name, f"has at least {size} bytes; the limit is {most}")


def check_listed(message: SuggestionOptions, limits: Limits) -> None:
    """Raise `InvalidInput` for too many blocked or boosted words, or for one that is too long."""
    check_most("options.blocked_words", message.blocked_words, limits.max_listed_words)
    check_most("options.boosted_words", message.boosted_words, limits.max_listed_words)
    most = limits.max_listed_word_bytes
    for index, word in enumerate(message.blocked_words):
        if 4 * len(word) > most:
            check_bytes(f"options.blocked_words[{index}]", word, most)
    for index, boosted in enumerate(message.boosted_words):
        if 4 * len(boosted.word) > most:
            check_bytes(f"options.boosted_words[{index}]", boosted.word, most)


def check_count(field_name: str, values: Sequence[Any], most: int) -> None:
    """Raise `InvalidInput` unless there are 1 to `most` entries."""
    if not values:
        raise InvalidInput(field_name, "is empty; send at least one")
    check_most(field_name, values, most)


def check_number(field_name: str, number: int, least: int, most: int) -> None:
    """Raise `InvalidInput` unless a number is between `least` and `most`."""
    if not least <= number <= most:
        raise InvalidInput(field_name, f"is {number}; send {least} to {most}")


def check_most(field_name: str, values: Sized, most: int) -> None:
    """Raise `InvalidInput` if there are more than `most` entries."""
    if len(values) > most:
        raise InvalidInput(field_name, f"has {len(values)} entries; the limit is {most}")
