"""Serialized requests of a hostile or careless client, for `wordgate bench isolation`.

`LEGAL` has the most expensive requests within the limits, per method. `REFUSED` has requests that
are rejected after as much work as possible. `OUTCOMES` has a request of about 1 MB per possible
outcome of a call. Messages are built once and sent as bytes, so the client needs little CPU time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from wordgate.api.v1 import models_pb2, prediction_pb2, rescoring_pb2, scoring_pb2

SCORE = "/wordgate.v1.ScoringService/Score"
RESCORE = "/wordgate.v1.ScoringService/Rescore"
STREAM_RESCORE = "/wordgate.v1.ScoringService/StreamRescore"
PREDICT = "/wordgate.v1.PredictionService/Predict"
STREAM_PREDICT = "/wordgate.v1.PredictionService/StreamPredict"
STREAM_GENERATE = "/wordgate.v1.PredictionService/StreamGenerate"
LIST_MODELS = "/wordgate.v1.ModelService/ListModels"
GET_MODEL = "/wordgate.v1.ModelService/GetModel"

MOST_BYTES = 1024 * 1024
"""The server's default message size limit."""

MARK = "qzqzqzqz"
"""Placeholder for letters that differ per message, to avoid cache hits."""

_COMMON = (
    *("the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with", "be"),
    *("by", "on", "not", "he", "his", "but", "at", "are", "this", "have", "from", "or", "had"),
    *("an", "they", "which", "one", "you", "were", "all", "her", "she", "there", "would", "their"),
    *("we", "him", "been", "has", "when", "who", "will", "no", "more", "if", "out", "so", "up"),
)
_EMPTY_FIELDS = 500_000
"""Number of empty 2-byte fields that nearly fill a message. It is rejected before parsing."""

_MOST_EMPTY_FIELDS = 131_000
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
        numbered = chosen.replace(MARK.encode(), _letters(number))
        return numbered + b"\x08" + _varint(number + 1) if self.is_stream else numbered


Made = Callable[[Random], Load]


def _letters(number: int) -> bytes:
    return bytes(ord("a") + number // 26**place % 26 for place in range(len(MARK)))


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _nested(*fields: int, content: bytes) -> bytes:
    """Return nested length-delimited fields."""
    for number in reversed(fields):
        content = _varint(number << 3 | 2) + _varint(len(content)) + content
    return content


def _empties(number: int, count: int = _MOST_EMPTY_FIELDS) -> bytes:
    """Return many empty length-delimited fields; the field number must be below 16."""
    return bytes([number << 3 | 2, 0]) * count


def _words(random: Random, size: int) -> str:
    """Return common words, about `size` bytes."""
    text = " ".join(random.choices(_COMMON, k=size // 2))[:size]
    return text.rpartition(" ")[0] or text


def _marked(parts: Sequence[str]) -> str:
    """Return words with unique letters after every 16th, so that no context is cached."""
    return " ".join(f"{part} {MARK}" if n % 16 == 0 else part for n, part in enumerate(parts))


def _history(random: Random) -> str:
    """Return common words, about 64 KB; the part that the model reads is never cached."""
    return f"{_words(random, 63_000)} {_marked(_words(random, 1200).split())}"


def _most_pieces(random: Random) -> str:
    """Return words, about 64 KB, that make the model read as many tokens as possible.

    Of 16 words, 13 are letters of four bytes, so that 128 words have at most 512 tokens. The text
    ends one word before a multiple of 128.
    """
    letters = [" ".join(_characters(random, 13, 0x1E922, 0x1E943)) for _ in range(104 * 8)]
    return " ".join(f"{MARK} a {each} a" for each in letters).removesuffix(" a")


def _run(random: Random, first: int, last: int) -> str:
    """Return characters without spaces, 64 KB if they have three bytes each."""
    parts = (MARK + _characters(random, 16, first, last) for _ in range(1160))
    return "".join(parts)


def _rare_word(random: Random, letters: int) -> str:
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=letters))


def _rare(random: Random, size: int, letters: int = 9) -> str:
    """Return out-of-vocabulary words, about `size` bytes."""
    return " ".join(_rare_word(random, letters) for _ in range(size // (letters + 1)))


def _characters(random: Random, count: int, first: int, last: int) -> str:
    return "".join(map(chr, random.choices(range(first, last + 1), k=count)))


# Score


def _score(texts: Iterable[str], history: str = MARK, model: str = "") -> bytes:
    candidates = [scoring_pb2.Candidate(text=text) for text in texts]
    request = scoring_pb2.ScoreRequest(model=model, history=history, candidates=candidates)
    return request.SerializeToString()


def _score_of(text: Callable[[Random], str], count: int = 1000) -> Made:
    def made(random: Random) -> Load:
        return Load(SCORE, (_score(text(random) for _ in range(count)),))

    return made


def _score_astral_deadline(random: Random) -> Load:
    texts = [_characters(random, 230, 0x20000, 0x2A6DF) for _ in range(1000)]
    return Load(SCORE, (_score(texts),), timeout_seconds=0.5)


# Rescore


def _rescore(**fields: object) -> bytes:
    return rescoring_pb2.RescoreRequest(**{"history": MARK} | fields).SerializeToString()  # type: ignore[arg-type]


def _most_searched() -> rescoring_pb2.SearchBounds:
    return rescoring_pb2.SearchBounds(
        max_transcripts=100, beam=1000, recombination_words=1000, max_expansions=20_000
    )


def _n_best_scores(random: Random) -> rescoring_pb2.NBest:
    names = [f"{number:02}" for number in range(32)]
    return rescoring_pb2.NBest(
        candidates=[
            rescoring_pb2.NBestCandidate(
                text=_words(random, 380), scores={name: random.uniform(-9, 0) for name in names}
            )
            for _ in range(1000)
        ]
    )


def _rescore_scores(random: Random) -> Load:
    return Load(RESCORE, (_rescore(n_best=_n_best_scores(random)),))


def _rescore_times(random: Random) -> Load:
    candidates = []
    for _ in range(1000):
        text = _words(random, 150)
        spans = [
            rescoring_pb2.TimeSpan(start_seconds=index + 0.1, end_seconds=index + 0.9)
            for index in range(len(text.split()))
        ]
        candidates.append(rescoring_pb2.NBestCandidate(text=text, times=spans))
    return Load(RESCORE, (_rescore(n_best=rescoring_pb2.NBest(candidates=candidates)),))


def _rescore_boosts(random: Random) -> Load:
    boosts = [rescoring_pb2.Boost(phrase=_words(random, 240), bonus=1.5) for _ in range(1000)]
    texts = [_words(random, 700) for _ in range(1000)]
    candidates = [rescoring_pb2.NBestCandidate(text=text) for text in texts]
    n_best = rescoring_pb2.NBest(candidates=candidates)
    score_weights = rescoring_pb2.ScoreWeights(boosts=boosts)
    return Load(RESCORE, (_rescore(n_best=n_best, score_weights=score_weights),))


def _network(texts: list[str], slot_size: int) -> bytes:
    alternatives = [rescoring_pb2.Alternative(text=text) for text in texts]
    slots = [
        rescoring_pb2.Slot(alternatives=alternatives[place : place + slot_size])
        for place in range(0, len(alternatives), slot_size)
    ]
    network = rescoring_pb2.ConfusionNetwork(slots=slots, merging=rescoring_pb2.PATH_MERGING_SUM)
    return _rescore(confusion_network=network, search=_most_searched())


def _network_of(text: Callable[[Random], str], slot_size: int) -> Made:
    def made(random: Random) -> Load:
        return Load(RESCORE, (_network([text(random) for _ in range(20_000)], slot_size),))

    return made


def _lattice_of(label: Callable[[Random], str], side_by_side: int) -> Made:
    """Return a chain of nodes with `side_by_side` parallel arcs, 20,000 arcs in total."""

    def made(random: Random) -> Load:
        nodes = 20_000 // side_by_side
        arcs = [
            rescoring_pb2.Arc(start_node=node, end_node=node + 1, label=label(random))
            for node in range(nodes)
            for _ in range(side_by_side)
        ]
        lattice = rescoring_pb2.Lattice(
            arcs=arcs, start_node=0, end_node=nodes, merging=rescoring_pb2.PATH_MERGING_SUM
        )
        return Load(RESCORE, (_rescore(lattice=lattice, search=_most_searched()),))

    return made


# Predict


def _predict(**fields: object) -> bytes:
    return prediction_pb2.PredictRequest(**fields).SerializeToString()  # type: ignore[arg-type]


def _listed(random: Random) -> prediction_pb2.SuggestionOptions:
    boosted = [
        prediction_pb2.BoostedWord(word=_rare_word(random, 127), bonus=9.5) for _ in range(1000)
    ]
    blocked = [_rare_word(random, 127) for _ in range(1000)]
    return prediction_pb2.SuggestionOptions(blocked_words=blocked, boosted_words=boosted)


def _all_options(random: Random) -> prediction_pb2.SuggestionOptions:
    options = prediction_pb2.SuggestionOptions(
        max_suggestions=100,
        max_expansions=5_000,
        allow_punctuation=True,
        hide_rejected=True,
        max_phrase_words=10,
        min_phrase_probability=0.01,
        max_corrections=100,
        continuous_cache=prediction_pb2.ContinuousCache(weight=0.9),
    )
    options.MergeFrom(_listed(random))
    return options


def _most_suggestions(
    options: prediction_pb2.SuggestionOptions | None = None,
) -> prediction_pb2.SuggestionOptions:
    """Return options that want as many suggestions as are allowed."""
    most = prediction_pb2.SuggestionOptions(max_suggestions=100, max_expansions=5_000)
    if options is not None:
        most.MergeFrom(options)
    return most


def _predict_lists(random: Random) -> Load:
    message = _predict(history=MARK, options=_most_suggestions(_listed(random)))
    return Load(PREDICT, (message,))


def _predict_history(history: Callable[[Random], str]) -> Made:
    def made(random: Random) -> Load:
        return Load(PREDICT, (_predict(history=history(random)),))

    return made


def _predict_passed_over(random: Random) -> Load:
    options = prediction_pb2.SuggestionOptions(hide_rejected=True)
    prefix = MARK + _rare_word(random, 127 - len(MARK))
    message = _predict(prefix=prefix, options=_most_suggestions(options))
    return Load(PREDICT, (message,))


def _predict_most(prefix: str, history: Callable[[Random], str] = _history) -> Made:
    def made(random: Random) -> Load:
        message = _predict(
            history=f"{history(random)} ",
            prefix=prefix,
            options=_all_options(random),
        )
        return Load(PREDICT, (message,))

    return made


def _predict_rare_prefix(random: Random) -> Load:
    message = _predict(history=MARK, prefix="zzq", options=_most_suggestions())
    return Load(PREDICT, (message,))


def _predict_correct_last(random: Random) -> Load:
    options = prediction_pb2.SuggestionOptions(max_corrections=100, max_expansions=5_000)
    message = _predict(
        history=f"{_marked(_words(random, 1200).split())} ",
        prefix=f"{MARK}{_rare_word(random, 20)}",
        correct_last_word=True,
        options=options,
    )
    return Load(PREDICT, (message,))


# Streams


def _typing(texts: Iterable[str], options: prediction_pb2.SuggestionOptions | None = None) -> Load:
    configuration = prediction_pb2.SessionConfiguration(options=_most_suggestions(options))
    first = prediction_pb2.StreamPredictRequest(configuration=configuration)
    messages = [
        prediction_pb2.StreamPredictRequest(text=prediction_pb2.SessionText(text=text))
        for text in texts
    ]
    return Load(
        STREAM_PREDICT,
        tuple(message.SerializeToString() for message in messages),
        first.SerializeToString(),
        is_stream=True,
    )


def _stream_predict_beginning(random: Random) -> Load:
    """Texts that differ in the number of words at the beginning, which moves every anchor."""
    text = _words(random, 64_000)
    return _typing([f"{MARK} {'a ' * (7 * count)}{text}" for count in range(32)])


def _stream_predict_end(random: Random) -> Load:
    return _typing([f"{_history(random)} "], _all_options(random))


def _stream_predict_pieces(random: Random) -> Load:
    return _typing([f"{_most_pieces(random)} "], _all_options(random))


def _stream_generate(random: Random) -> Load:
    """At temperature 0, generation rarely ends the text early."""
    request = prediction_pb2.StreamGenerateRequest(
        history=_history(random),
        max_words=1000,
        temperature=0.0,
        top_k=100,
        stop_words=[_rare_word(random, 127) for _ in range(100)],
        max_expansions=5_000,
    )
    return Load(STREAM_GENERATE, (request.SerializeToString(),))


def _stream_rescore(utterance: rescoring_pb2.Utterance) -> Load:
    configuration = rescoring_pb2.RescoreConfiguration()
    first = rescoring_pb2.StreamRescoreRequest(configuration=configuration)
    message = rescoring_pb2.StreamRescoreRequest(utterance=utterance)
    return Load(
        STREAM_RESCORE,
        (message.SerializeToString(),),
        first.SerializeToString(),
        is_stream=True,
        pipelined=True,
        in_flight=3,
    )


def _stream_rescore_texts(random: Random) -> Load:
    texts = [_words(random, 1000) for _ in range(1000)]
    n_best = rescoring_pb2.NBest(
        candidates=[rescoring_pb2.NBestCandidate(text=text) for text in texts]
    )
    return _stream_rescore(rescoring_pb2.Utterance(history=MARK, n_best=n_best))


def _stream_rescore_scores(random: Random) -> Load:
    return _stream_rescore(rescoring_pb2.Utterance(history=MARK, n_best=_n_best_scores(random)))


# Rejected requests


def _refused(path: str, *messages: bytes) -> Made:
    return lambda _: Load(path, messages)


def _distinct_entries(field: int) -> bytes:
    """Return map entries with distinct keys, about 1 MB."""
    return b"".join(_nested(field, 1, content=_letters(number)[:4]) for number in range(130_000))


def _session_lists(_: Random) -> Load:
    options = _empties(3, 65_000) + _empties(4, 65_000)
    return Load(STREAM_PREDICT, (b"",), _nested(2, 7, content=options), is_stream=True)


def _stream_rescore_slot(_: Random) -> Load:
    utterance = _nested(3, 3, 1, content=_empties(1))
    return Load(
        STREAM_RESCORE,
        (utterance,),
        _nested(2, content=b""),
        is_stream=True,
        pipelined=True,
    )


def _score_too_long(random: Random) -> Load:
    """Every candidate has too many tokens, which is found only at its end."""
    return Load(SCORE, (_score(_words(random, 64_000) for _ in range(16)),))


def _long_score(random: Random, model: str = "") -> bytes:
    return _score((_words(random, 1000) for _ in range(1000)), model=model)


LEGAL: Mapping[str, Made] = {
    "score_ascii": _score_of(lambda random: _words(random, 1000)),
    "score_cjk": _score_of(lambda random: _characters(random, 330, 0x4E00, 0x9FFF)),
    "score_astral": _score_of(lambda random: _characters(random, 230, 0x20000, 0x2A6DF)),
    "score_astral_deadline": _score_astral_deadline,
    "score_rare": _score_of(lambda random: _rare(random, 1000)),
    "score_one_word": _score_of(lambda random: _rare_word(random, 1000)),
    "score_long": _score_of(lambda random: " ".join(random.choices(_COMMON, k=4000)), 55),
    "rescore_scores": _rescore_scores,
    "rescore_times": _rescore_times,
    "rescore_boosts": _rescore_boosts,
    "rescore_empty_entries": _refused(
        RESCORE, _nested(4, content=MARK.encode()) + _nested(5, 1, content=_empties(2))
    ),
    "network_texts": _network_of(lambda random: _words(random, 12), 10),
    "network_rare": _network_of(lambda random: _rare_word(random, 3), 10),
    "network_wide": _network_of(lambda random: _rare_word(random, 3), 1000),
    "network_empties": _network_of(lambda _: "", 2),
    "network_single_empties": _network_of(lambda _: "", 1),
    "network_one_slot": _network_of(lambda _: "", 20_000),
    "lattice_texts": _lattice_of(lambda random: _words(random, 12), 10),
    "lattice_rare": _lattice_of(lambda random: _rare_word(random, 3), 10),
    "lattice_empties": _lattice_of(lambda _: "", 2),
    "predict_lists": _predict_lists,
    "predict_one_word": _predict_history(
        lambda random: "".join(MARK + _rare_word(random, 120) for _ in range(510))
    ),
    "predict_unseen": _predict_history(
        lambda random: " ".join(MARK + _rare_word(random, 119) for _ in range(510))
    ),
    "predict_letters": _predict_history(lambda _: (MARK + "a" * 120) * 510),
    "predict_thai": _predict_history(lambda random: _run(random, 0xE01, 0xE2E)),
    "predict_tifinagh": _predict_history(lambda random: _run(random, 0x2D30, 0x2D67)),
    "predict_pieces": _predict_history(_most_pieces),
    "predict_passed_over": _predict_passed_over,
    "predict_all_options": _predict_most(""),
    "predict_all_options_prefix": _predict_most("thr"),
    "predict_all_options_pieces": _predict_most("thr", _most_pieces),
    "predict_rare_prefix": _predict_rare_prefix,
    "predict_correct_last": _predict_correct_last,
    "stream_predict_beginning": _stream_predict_beginning,
    "stream_predict_end": _stream_predict_end,
    "stream_predict_pieces": _stream_predict_pieces,
    "stream_generate": _stream_generate,
    "stream_rescore_texts": _stream_rescore_texts,
    "stream_rescore_scores": _stream_rescore_scores,
    "list_models": lambda _: Load(LIST_MODELS, (b"",)),
    "get_model": lambda _: Load(GET_MODEL, (models_pb2.GetModelRequest().SerializeToString(),)),
}
"""The most expensive requests within the limits."""

REFUSED: Mapping[str, Made] = {
    "score_dense": _refused(SCORE, _empties(3, _EMPTY_FIELDS)),
    "score_empties": _refused(SCORE, _empties(3)),
    "score_too_long": _score_too_long,
    "rescore_one_slot": _refused(RESCORE, _nested(6, 1, content=_empties(1))),
    "rescore_slots": _refused(RESCORE, _nested(6, content=_empties(1))),
    "rescore_times": _refused(RESCORE, _nested(5, 1, content=_empties(3))),
    "rescore_candidates": _refused(RESCORE, _nested(5, content=_empties(1))),
    "rescore_network_times": _refused(
        RESCORE,
        _nested(6, content=_nested(1, 1, content=b"") + _nested(3, content=bytes(1_000_000))),
    ),
    "rescore_entries": _refused(RESCORE, _nested(5, 1, content=_distinct_entries(2))),
    "rescore_weights": _refused(RESCORE, _nested(2, content=_distinct_entries(3))),
    "rescore_boosts": _refused(RESCORE, _nested(2, content=_empties(4))),
    "lattice_arcs": _refused(RESCORE, _nested(7, content=_empties(1))),
    "lattice_node_times": _refused(
        RESCORE, _nested(7, content=_empties(1, 1) + _nested(4, content=bytes(1_000_000)))
    ),
    "lattice_null_labels": _refused(
        RESCORE, _nested(7, content=_empties(1, 1) + _nested(5, content=_empties(1)))
    ),
    "predict_blocked": _refused(PREDICT, _nested(8, content=_empties(3))),
    "predict_boosted": _refused(PREDICT, _nested(8, content=_empties(4))),
    "session_lists": _session_lists,
    "stream_rescore_slot": _stream_rescore_slot,
    "generate_stop_words": _refused(STREAM_GENERATE, _empties(9)),
    "not_found": lambda random: Load(SCORE, (_long_score(random, "none"),)),
    "malformed": _refused(SCORE, _empties(3) + b"\x1a\xff"),
}
"""Requests that are rejected after as much work as possible."""


OUTCOMES: Mapping[str, Made] = {
    "answered": lambda _: Load(PREDICT, (_nested(200, content=bytes(1_000_000)),)),
    "answered_swollen": lambda _: Load(
        PREDICT, (_empties(15) + _nested(200, content=bytes(700_000)),)
    ),
    "refused": lambda random: Load(
        SCORE, (_long_score(random),), server_options=("--max-queue-delay-seconds", "0")
    ),
    "too_large": lambda _: Load(SCORE, (bytes(MOST_BYTES + 1),)),
    "invalid": _refused(SCORE, _empties(3, _EMPTY_FIELDS)),
    "invalid_slot": _refused(RESCORE, _nested(6, 1, content=_empties(1))),
    "malformed": _refused(SCORE, _empties(3) + b"\x1a\xff"),
    "cancelled": lambda random: Load(SCORE, (_long_score(random),), cancel_seconds=0.02),
    "late": lambda random: Load(SCORE, (_long_score(random),), timeout_seconds=0.1),
    "not_found": lambda random: Load(SCORE, (_long_score(random, "none"),)),
}
"""A request of about 1 MB per possible outcome of a call."""
