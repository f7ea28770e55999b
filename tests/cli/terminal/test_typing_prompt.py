"""The prompt of `wordgate type`, with keys from a pipe."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from wordgate.cli.terminal.typing_prompt import TypedLine, TypingPrompt
from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import Kind, PredictionResult, Suggestion
from wordgate.lm.model_version import ModelVersion

LEFT, DOWN, BACKSPACE, HOME, END = "\x1b[D", "\x1b[B", "\x7f", "\x01", "\x05"


class _Words:
    """A model that knows three words."""

    def submit_predict(self, query: Query) -> "Future[PredictionResult]":
        """Suggest the words that begin with the prefix."""
        known = [word for word in ("sea", "seven", "the") if word.startswith(query.prefix)]
        suggestions = [Suggestion(word, -0.5, Kind.WORD) for word in known]
        future: Future[PredictionResult] = Future()
        model = ModelVersion("hand", "1", "int8")
        future.set_result(PredictionResult(suggestions, query.prefix, True, 1, model))
        return future


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    """Replace the terminal by a pipe."""
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


def _typed(keys: PipeInput, *pressed: str) -> TypedLine:
    model: Any = _Words()
    prompt = TypingPrompt(model, Options())
    keys.send_text("".join(pressed) + "\r")
    return prompt.read_line()


@pytest.mark.parametrize(
    ("pressed", "text"),
    [
        (["a", "b"], "ab"),
        (["a", "b", BACKSPACE], "a"),
        ([BACKSPACE], ""),
        (["a", LEFT, "b"], "ba"),
        (["a", "b", HOME, "c", END, "d"], "cabd"),
    ],
)
def test_keys_edit_the_line(keys: PipeInput, pressed: list[str], text: str) -> None:
    """Letters, backspace, arrows, Home and End edit the line, and each counts as a key."""
    assert _typed(keys, *pressed) == TypedLine(text, len(pressed))


@pytest.mark.parametrize(
    ("pressed", "text"),
    [
        (["\t"], "sea "),
        (["s", "e", "v", "\t"], "seven "),
        (["t", "\t", "s", "\t"], "the sea "),
        (["s", "e", "a", LEFT, "\t"], "sea "),
        (["x", "\t"], "x"),
    ],
)
def test_tab_accepts_the_first_suggestion(keys: PipeInput, pressed: list[str], text: str) -> None:
    """Tab replaces the word at the cursor and adds a space; without suggestions it does nothing."""
    assert _typed(keys, *pressed) == TypedLine(text, len(pressed))


def test_ctrl_d_ends_the_input(keys: PipeInput) -> None:
    """Ctrl-D on an empty line is the end of the input."""
    model: Any = _Words()
    prompt = TypingPrompt(model, Options())
    keys.send_text("\x04")
    with pytest.raises(EOFError):
        prompt.read_line()
