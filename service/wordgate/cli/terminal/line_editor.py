"""Line editor with suggestions below the line: state and rendering, without a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, chop_cells

from wordgate.decoding.suggestions import Kind, Suggestion
from wordgate.engine.results import PredictionResult
from wordgate.text.edit_buffer import TextBuffer
from wordgate.text.rest_of_word import rest_of_word

_UP, _CLEAR = "\x1b[A", "\r\x1b[J"
_DIM, _BOLD, _PLAIN = "\x1b[2m", "\x1b[7m", "\x1b[0m"

_BACKSPACE = ("\x7f", "\x08")
_ACCEPT = ("\t",)
_LEFT_KEYS, _RIGHT_KEYS = ("\x1b[D", "\x1bOD"), ("\x1b[C", "\x1bOC")
_UP_KEYS, _DOWN_KEYS = ("\x1b[A", "\x1bOA"), ("\x1b[B", "\x1bOB")
_HOME, _END = ("\x1b[H", "\x1bOH", "\x01"), ("\x1b[F", "\x1bOF", "\x05")


@dataclass
class LineEditor:
    """The text, its suggestions, the selected suggestion and the number of keys pressed."""

    line: TextBuffer = field(default_factory=TextBuffer)
    answer: PredictionResult | None = None
    chosen: int = 0
    keys: int = 0

    def press(self, key: str) -> bool:
        """Apply a key; return whether the text or the cursor changed."""
        self.keys += 1
        if key in _UP_KEYS + _DOWN_KEYS:
            self._choose(-1 if key in _UP_KEYS else 1)
            return False
        before, self.line = self.line, self._after(key)
        self.chosen = 0
        return self.line != before

    @property
    def suggestions(self) -> Sequence[Suggestion]:
        """Current suggestions."""
        return self.answer.suggestions if self.answer else ()

    def _choose(self, step: int) -> None:
        if self.suggestions:
            self.chosen = (self.chosen + step) % len(self.suggestions)

    def _after(self, key: str) -> TextBuffer:
        line = self.line
        if key in _ACCEPT:
            return self._accepted()
        if key in _BACKSPACE:
            return line.delete(1, 0) if line.cursor else line
        if key in _LEFT_KEYS:
            return line.move(max(0, line.cursor - 1))
        if key in _RIGHT_KEYS:
            return line.move(min(len(line.text), line.cursor + 1))
        if key in _HOME + _END:
            return line.move(0 if key in _HOME else len(line.text))
        return line.insert(key) if key.isprintable() else line

    def _accepted(self) -> TextBuffer:
        if not self.suggestions or self.answer is None:
            return self.line
        typed = len(self.answer.prefix)
        rest = rest_of_word(self.line, typed)
        return self.line.accept(typed, self.suggestions[self.chosen].text, rest)

    def screen(self, width: int) -> str:
        """Return the text and escape sequences that redraw the line, suggestions and cursor."""
        before = _last_cells(self.line.before, width - 1)
        after = _first_cells(self.line.text[self.line.cursor :], width - 1 - cell_len(before))
        shown = f"{_CLEAR}{before}{after}\n{self._suggested(width - 1)}\r{_UP}"
        column = cell_len(before)
        return f"{shown}\x1b[{column}C" if column else shown

    def _suggested(self, width: int) -> str:
        parts = []
        for index, suggestion in enumerate(self.suggestions):
            text = f" {_label(suggestion)} "
            width -= cell_len(text)
            if width < 0:
                break
            style = _BOLD if index == self.chosen else _DIM
            parts.append(f"{style}{text}{_PLAIN}")
        return "".join(parts)


def _label(suggestion: Suggestion) -> str:
    mark = "~" if suggestion.kind is Kind.CORRECTION else ""
    return f"{mark}{suggestion.text} {suggestion.probability:.0%}"


def _last_cells(text: str, width: int) -> str:
    """Return the end of a text that fits into `width` cells."""
    while cell_len(text) > width:
        text = text[max(1, (cell_len(text) - width) // 2) :]
    return text


def _first_cells(text: str, width: int) -> str:
    """Return the beginning of a text that fits into `width` cells."""
    return chop_cells(text, width)[0] if text and width > 0 else ""
