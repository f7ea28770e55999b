"""The most expensive Predict, StreamPredict and StreamGenerate requests within the limits."""

from collections.abc import Callable, Iterable, Mapping
from random import Random

from wordgate.api.v1 import prediction_pb2
from wordgate.bench.isolation.load import (
    MARK,
    PREDICT,
    STREAM_GENERATE,
    STREAM_PREDICT,
    Load,
    Made,
)
from wordgate.bench.isolation.texts import (
    long_history,
    marked,
    most_tokens,
    rare_word,
    unbroken,
    words,
)


def _predict(**fields: object) -> bytes:
    return prediction_pb2.PredictRequest(**fields).SerializeToString()  # type: ignore[arg-type]


def _listed(random: Random) -> prediction_pb2.SuggestionOptions:
    boosted = [
        prediction_pb2.BoostedWord(word=rare_word(random, 127), bonus=9.5) for _ in range(1000)
    ]
    blocked = [rare_word(random, 127) for _ in range(1000)]
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


def _predict_rejected(random: Random) -> Load:
    options = prediction_pb2.SuggestionOptions(hide_rejected=True)
    prefix = MARK + rare_word(random, 127 - len(MARK))
    message = _predict(prefix=prefix, options=_most_suggestions(options))
    return Load(PREDICT, (message,))


def _predict_most(prefix: str, history: Callable[[Random], str] = long_history) -> Made:
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
        history=f"{marked(words(random, 1200).split())} ",
        prefix=f"{MARK}{rare_word(random, 20)}",
        correct_last_word=True,
        options=options,
    )
    return Load(PREDICT, (message,))


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
    text = words(random, 64_000)
    return _typing([f"{MARK} {'a ' * (7 * count)}{text}" for count in range(32)])


def _stream_predict_end(random: Random) -> Load:
    return _typing([f"{long_history(random)} "], _all_options(random))


def _stream_predict_tokens(random: Random) -> Load:
    return _typing([f"{most_tokens(random)} "], _all_options(random))


def _stream_generate(random: Random) -> Load:
    """At temperature 0, generation rarely ends the text early."""
    request = prediction_pb2.StreamGenerateRequest(
        history=long_history(random),
        max_words=1000,
        temperature=0.0,
        top_k=100,
        stop_words=[rare_word(random, 127) for _ in range(100)],
        max_expansions=5_000,
    )
    return Load(STREAM_GENERATE, (request.SerializeToString(),))


PREDICTION: Mapping[str, Made] = {
    "predict_lists": _predict_lists,
    "predict_one_word": _predict_history(
        lambda random: "".join(MARK + rare_word(random, 120) for _ in range(510))
    ),
    "predict_unseen": _predict_history(
        lambda random: " ".join(MARK + rare_word(random, 119) for _ in range(510))
    ),
    "predict_letters": _predict_history(lambda _: (MARK + "a" * 120) * 510),
    "predict_thai": _predict_history(lambda random: unbroken(random, 0xE01, 0xE2E)),
    "predict_tifinagh": _predict_history(lambda random: unbroken(random, 0x2D30, 0x2D67)),
    "predict_tokens": _predict_history(most_tokens),
    "predict_rejected": _predict_rejected,
    "predict_all_options": _predict_most(""),
    "predict_all_options_prefix": _predict_most("thr"),
    "predict_all_options_tokens": _predict_most("thr", most_tokens),
    "predict_rare_prefix": _predict_rare_prefix,
    "predict_correct_last": _predict_correct_last,
    "stream_predict_beginning": _stream_predict_beginning,
    "stream_predict_end": _stream_predict_end,
    "stream_predict_tokens": _stream_predict_tokens,
    "stream_generate": _stream_generate,
}
"""Loads of `PredictionService`."""
