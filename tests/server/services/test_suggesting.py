"""Suggestion options over the wire: options, limits, sessions."""

from functools import partial
from typing import Any

import grpc
import pytest
from tests.server.requests import Conversation, configured, field_named, refusal, text

from wordgate.api.v1 import prediction_pb2 as pb
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.decoding.options import BoostedWord, ContinuousCache, LetterCase, Options
from wordgate.decoding.prediction import Query, split_typed
from wordgate.engine.local_model import LocalModel
from wordgate.protocol import prediction
from wordgate.protocol.prediction import encode_predict_request, encode_session_configuration

WANTED: dict[str, dict[str, Any]] = {
    "typed": {"letter_case": LetterCase.AS_TYPED},
    "passed over": {"hide_rejected": True},
    "unseen words": {"allow_unseen_words": True},
    "blocked": {"blocked_words": ("The", "sea", "❤\ufe0f")},
    "boosted": {"boosted_words": (BoostedWord("WordGate", 9.0), BoostedWord("sea", -50.0))},
    "phrases": {"max_phrase_words": 3, "min_phrase_probability": 0.01},
    "corrections": {"max_corrections": 4},
    "cache": {"continuous_cache": ContinuousCache(0.3)},
    "flat cache": {"continuous_cache": ContinuousCache(0.3, 0.0)},
}
ALL = Options(
    max_suggestions=4,
    allow_punctuation=True,
    **{k: v for w in WANTED.values() for k, v in w.items()},
)
TEXTS = (
    "",
    "the sea, the Sea ",
    "the sea eben",
    "The sea. WORD",
    "don’",
    "we saw Lon",
    "🦆 \u0301",
    "the sea was here " * 3800 + "s",
)


@pytest.fixture
def stub(channel: grpc.Channel) -> PredictionServiceStub:
    """A stub of the shared server."""
    return PredictionServiceStub(channel)


@pytest.mark.parametrize("options", [*(Options(**w) for w in WANTED.values()), ALL])
def test_answers_are_bit_identical_to_a_local_model(
    stub: PredictionServiceStub, local: LocalModel, options: Options
) -> None:
    """They are equal by request and in a session, with each option alone and all together."""
    with Conversation(
        stub, pb.StreamPredictRequest(configuration=encode_session_configuration("", options))
    ) as session:
        for number, whole in enumerate(TEXTS):
            query = Query(*split_typed(whole), options)
            here = local.submit_predict(query).result()
            answered = stub.Predict(encode_predict_request("", query))
            assert answered == prediction.encode_prediction(here)
            said = session.ask(text(number, whole))
            for suggestion in said.suggestions:
                suggestion.ClearField("edit")
            assert list(said.suggestions) == list(answered.suggestions)
            assert (said.exact, said.expansions) == (answered.exact, answered.expansions)


def test_completed_words_are_corrected(stub: PredictionServiceStub, local: LocalModel) -> None:
    """The answer's prefix is the word as written; without a word there are no corrections."""
    for history, prefix in (("we have Eben.", ""), ("we have", "eben"), ("", ""), ("...", "!")):
        query = Query(history, prefix, Options(max_suggestions=3), True)
        answered = stub.Predict(encode_predict_request("", query))
        assert answered == prediction.encode_prediction(local.submit_predict(query).result())
        kinds = {each.kind for each in answered.suggestions}
        assert kinds <= {pb.SUGGESTION_KIND_CORRECTION}
        assert bool(answered.suggestions) == ("eben" in f"{history}{prefix}".lower())


NAN, INFINITE = float("nan"), float("inf")
BAD: dict[str, tuple[pb.SuggestionOptions, str]] = {
    "case": (pb.SuggestionOptions(letter_case=7), "letter_case"),  # type: ignore[arg-type]
    "many blocked": (pb.SuggestionOptions(blocked_words=["a"] * 1001), "blocked_words"),
    "long": (pb.SuggestionOptions(blocked_words=["a", "é" * 129]), "blocked_words[1]"),
    "too many": (pb.SuggestionOptions(blocked_words=["a b", "a " * 17]), "blocked_words[1]"),
    "none": (pb.SuggestionOptions(blocked_words=[" "]), "blocked_words[0]"),
    "many boosted": (
        pb.SuggestionOptions(boosted_words=[pb.BoostedWord(word="a")] * 1001),
        "boosted_words",
    ),
    "long boosted": (
        pb.SuggestionOptions(boosted_words=[pb.BoostedWord(word="a" * 257)]),
        "boosted_words[0]",
    ),
    "no word": (
        pb.SuggestionOptions(boosted_words=[pb.BoostedWord(word="a"), pb.BoostedWord()]),
        "boosted_words[1].word",
    ),
    "NaN boost": (
        pb.SuggestionOptions(boosted_words=[pb.BoostedWord(word="a", bonus=NAN)]),
        "boosted_words[0].bonus",
    ),
    "great boost": (
        pb.SuggestionOptions(boosted_words=[pb.BoostedWord(word="a", bonus=-INFINITE)]),
        "boosted_words[0].bonus",
    ),
    "words": (pb.SuggestionOptions(max_phrase_words=11), "max_phrase_words"),
    "phrases": (pb.SuggestionOptions(min_phrase_probability=NAN), "min_phrase_probability"),
    "rare phrases": (pb.SuggestionOptions(min_phrase_probability=1e-9), "min_phrase_probability"),
    "corrections": (pb.SuggestionOptions(max_corrections=101), "max_corrections"),
    "weight": (
        pb.SuggestionOptions(continuous_cache=pb.ContinuousCache(weight=1.0)),
        "continuous_cache.weight",
    ),
    "NaN weight": (
        pb.SuggestionOptions(continuous_cache=pb.ContinuousCache(weight=NAN)),
        "continuous_cache.weight",
    ),
    "negative weight": (
        pb.SuggestionOptions(continuous_cache=pb.ContinuousCache(weight=-0.1)),
        "continuous_cache.weight",
    ),
    "sharpness": (
        pb.SuggestionOptions(continuous_cache=pb.ContinuousCache(weight=0.1, sharpness=INFINITE)),
        "continuous_cache.sharpness",
    ),
}


@pytest.mark.parametrize(("options", "field"), BAD.values(), ids=BAD)
def test_bad_options_are_named(
    stub: PredictionServiceStub, options: pb.SuggestionOptions, field: str
) -> None:
    """An error names the full path of the option, in a request and in a configuration."""
    error = refusal(partial(stub.Predict, pb.PredictRequest(options=options)))
    assert field_named(error) == f"options.{field}"
    error = refusal(lambda: list(stub.StreamPredict(iter([configured(options=options)]))))
    assert field_named(error) == f"configuration.options.{field}"
