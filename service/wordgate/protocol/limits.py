"""What the server accepts, in one table.

Knows numbers, their units and what they bound; the servicers check requests against them,
`GetModel` answers them and the table in the docs is made from them.
"""

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass, field, fields
from typing import Any

from wordgate.api.v1.prediction_pb2 import SuggestionOptions
from wordgate.decoding import generation, options
from wordgate.errors import InvalidInput
from wordgate.scoring import lattice_nbest, scoring


def _limit(value: int, unit: str, bounds: str) -> Any:
    return field(default=value, metadata={"unit": unit, "bounds": bounds})


@dataclass(frozen=True)
class Limits:
    """Every limit is the greatest accepted value."""

    max_message_bytes: int = _limit(1024 * 1024, "bytes", "one request message as sent")
    max_history_bytes: int = _limit(64 * 1024, "bytes", "`history`")
    max_prefix_bytes: int = _limit(1024, "bytes", "`prefix`")
    max_suggestions: int = _limit(
        options.MAX_SUGGESTIONS,
        "suggestions",
        "suggestions in one answer, corrections likewise, or words that one is drawn from",
    )
    max_expansions: int = _limit(
        options.MAX_EXPANSIONS, "rows", "rows of the output layer that one search asks for"
    )
    max_listed_words: int = _limit(
        options.MAX_LISTED_WORDS, "words", "blocked words, or boosted ones"
    )
    max_listed_word_bytes: int = _limit(256, "bytes", "one of them")
    max_candidates: int = _limit(1000, "candidates", "candidates in one request")
    max_candidate_tokens: int = _limit(
        scoring.MAX_CANDIDATE_TOKENS, "pieces", "pieces of one candidate"
    )
    max_candidate_bytes: int = _limit(64 * 1024, "bytes", "one candidate")
    max_session_text_bytes: int = _limit(64 * 1024, "bytes", "the text of a typing session")
    max_model_bytes: int = _limit(256, "bytes", "`model`, the name of one")
    max_sessions: int = _limit(10_000, "sessions", "typing sessions open at once")
    max_session_seconds: int = _limit(
        86_400, "seconds", "a typing session, or up to a tenth less; then it is to be opened again"
    )
    max_sessions_bytes: int = _limit(
        256 * 1024 * 1024,
        "bytes",
        "texts and listed words of all sessions, beyond 8 KiB of each; a word counts twelvefold",
    )
    max_scores: int = _limit(32, "scores", "named scores of one candidate, or weights")
    max_score_name_bytes: int = _limit(64, "bytes", "the name of a score")
    max_boosts: int = _limit(1000, "phrases", "boosted phrases in one request")
    max_boost_phrase_bytes: int = _limit(256, "bytes", "one boosted phrase")
    max_rescore_streams: int = _limit(100, "streams", "rescoring streams open at once")
    max_arcs: int = _limit(
        20_000, "arcs", "arcs of a lattice, or alternatives of a confusion network"
    )
    max_label_bytes: int = _limit(1024, "bytes", "one label, alternative or pattern of null labels")
    max_null_labels: int = _limit(100, "patterns", "patterns of null labels of a lattice")
    max_transcripts: int = _limit(
        100, "transcripts", "the number of best transcripts that a request wants"
    )
    max_beam: int = _limit(1000, "beginnings", "the beam of a search for transcripts")
    max_lattice_expansions: int = _limit(
        20_000, "beginnings", "beginnings of transcripts that one search continues"
    )
    max_lattice_pieces: int = _limit(
        lattice_nbest.MAX_LATTICE_PIECES,
        "pieces",
        "all different tokens of a lattice or a confusion network together",
    )
    max_generated_words: int = _limit(
        generation.MAX_GENERATED_WORDS, "words", "one generated text, its marks among them"
    )
    max_stop_words: int = _limit(100, "words", "words that end a generated text")
    max_stop_word_bytes: int = _limit(256, "bytes", "one word that ends a generated text")
    max_generation_streams: int = _limit(1000, "streams", "texts generated at once")
    max_concurrent_rpcs: int = _limit(
        20_000, "calls", "calls under way at once, sessions among them"
    )
    max_connection_calls: int = _limit(
        5000, "calls", "calls under way at once on one connection; more wait at the client"
    )
    max_header_bytes: int = _limit(
        16 * 1024, "bytes", "headers of a call (metadata), 32 more for each one"
    )
    max_silence_seconds: int = _limit(60, "seconds", "a call before its first message")
    max_silent_calls: int = _limit(
        200,
        "calls",
        "calls before their first message that may last `max_silence_seconds`; further ones end "
        "after two seconds",
    )
    max_in_flight_bytes: int = _limit(
        3 * 1024 * 1024,
        "bytes",
        "messages of the requests in progress together; a request may take half of what is left",
    )
    max_in_flight_stream_bytes: int = _limit(
        1024 * 1024,
        "bytes",
        "messages above 16 KiB of all streams that are being worked on; further ones wait",
    )
    max_unread_seconds: int = _limit(
        60, "seconds", "an answer of a stream that the client does not read"
    )
    max_watch_streams: int = _limit(
        1000, "streams", "streams of health checking and reflection open at once"
    )
    max_queued_rows: int = _limit(
        20_000,
        "rows",
        "rows waiting for the model, one of each request that is to begin; while there are so "
        "many of its priority and of those above it, a request is refused",
    )


@dataclass(frozen=True)
class LimitRow:
    """A row of the table of limits."""

    name: str
    value: int
    unit: str
    bounds: str


def table(limits: Limits | None = None) -> Iterator[LimitRow]:
    """All limits, for the docs."""
    for entry in fields(Limits):
        value = getattr(limits or Limits(), entry.name)
        yield LimitRow(entry.name, value, entry.metadata["unit"], entry.metadata["bounds"])


def check_bytes(field_name: str, text: str, most: int) -> None:
    """Raise `InvalidInput` when a text has more bytes than `most`."""
    found = len(text) if len(text) > most or text.isascii() else len(text.encode("utf-8"))
    if found > most:
        raise InvalidInput(field_name, f"has {found} bytes or more; the limit is {most}")


def check_listed(asked: SuggestionOptions, limits: Limits) -> None:
    """Raise `InvalidInput` when a person's own words are too many or too long."""
    check_most("options.blocked_words", asked.blocked_words, limits.max_listed_words)
    check_most("options.boosted_words", asked.boosted_words, limits.max_listed_words)
    most = limits.max_listed_word_bytes
    for place, word in enumerate(asked.blocked_words):
        if 4 * len(word) > most:
            check_bytes(f"options.blocked_words[{place}]", word, most)
    for place, boosted in enumerate(asked.boosted_words):
        if 4 * len(boosted.word) > most:
            check_bytes(f"options.boosted_words[{place}]", boosted.word, most)


def check_count(field_name: str, values: Sequence[Any], most: int) -> None:
    """Raise `InvalidInput` when there are none or more than `most`."""
    if not values:
        raise InvalidInput(field_name, "is empty; send at least one")
    check_most(field_name, values, most)


def check_number(field_name: str, number: int, least: int, most: int) -> None:
    """Raise `InvalidInput` when a number is less than `least` or more than `most`."""
    if not least <= number <= most:
        raise InvalidInput(field_name, f"is {number}; send {least} to {most}")


def check_most(field_name: str, values: Sized, most: int) -> None:
    """Raise `InvalidInput` when there are more than `most`."""
    if len(values) > most:
        raise InvalidInput(field_name, f"has {len(values)} entries; the limit is {most}")
