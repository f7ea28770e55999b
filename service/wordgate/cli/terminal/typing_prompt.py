"""A prompt that shows suggestions below the line while the user types, with prompt_toolkit."""

from collections.abc import Iterator
from dataclasses import dataclass

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from wordgate.decoding.options import Options
from wordgate.decoding.prediction import Query, split_typed
from wordgate.decoding.prediction_result import Kind, Suggestion
from wordgate.engine.results import LanguageModel
from wordgate.text.edit_buffer import TextBuffer
from wordgate.text.rest_of_word import rest_of_word


@dataclass(frozen=True)
class TypedLine:
    """A line and the number of keys pressed for it, without Enter."""

    text: str
    keys: int


class TypingPrompt:
    """Reads lines from the terminal and completes them with a model's suggestions."""

    def __init__(self, model: LanguageModel, options: Options) -> None:
        self._completer = _SuggestionCompleter(model, options)
        self._session: PromptSession[str] = PromptSession(
            completer=self._completer,
            complete_in_thread=True,
            complete_while_typing=True,
            key_bindings=self._key_bindings(),
        )
        self._keys = 0
        self._session.app.key_processor.before_key_press += self._count_key

    def read_line(self) -> TypedLine:
        """Let the user type a line. Raises `EOFError` for Ctrl-D on an empty line."""
        self._keys = 0
        text = self._session.prompt(pre_run=self._session.default_buffer.start_completion)
        return TypedLine(text, self._keys - 1)

    def _count_key(self, _: object) -> None:
        self._keys += 1

    def _key_bindings(self) -> KeyBindings:
        bindings = KeyBindings()

        @bindings.add("tab")
        def accept(event: KeyPressEvent) -> None:
            """Accept the selected suggestion, or the first one."""
            self._accept(event.current_buffer)
            event.current_buffer.start_completion()

        @bindings.add("backspace")
        def delete(event: KeyPressEvent) -> None:
            """Delete a character, and suggest again."""
            event.current_buffer.delete_before_cursor()
            event.current_buffer.start_completion()

        return bindings

    def _accept(self, buffer: Buffer) -> None:
        menu = buffer.complete_state
        document = menu.original_document if menu else buffer.document
        completions = menu.completions if menu else [*self._completer.complete(document)]
        if not completions:
            return
        chosen = (menu and menu.current_completion) or completions[0]
        line, typed = _line(document), -chosen.start_position
        accepted = line.accept(typed, chosen.text, rest_of_word(line, typed))
        buffer.document = Document(accepted.text, accepted.cursor)


class _SuggestionCompleter(Completer):
    def __init__(self, model: LanguageModel, options: Options) -> None:
        self._model = model
        self._options = options

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Yield the suggestions for the text before the cursor."""
        return self.complete(document)

    def complete(self, document: Document) -> Iterator[Completion]:
        """Yield the suggestions for the text before the cursor."""
        history, prefix = split_typed(document.text_before_cursor)
        answer = self._model.submit_predict(Query(history, prefix, self._options)).result()
        for suggestion in answer.suggestions:
            yield Completion(
                suggestion.text,
                start_position=-len(answer.prefix),
                display=_label(suggestion),
                display_meta=f"{suggestion.probability:.0%}",
            )


def _line(document: Document) -> TextBuffer:
    return TextBuffer(document.text, document.cursor_position)


def _label(suggestion: Suggestion) -> str:
    return f"~{suggestion.text}" if suggestion.kind is Kind.CORRECTION else suggestion.text
