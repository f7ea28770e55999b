"""An immutable text buffer with a cursor, and the edits of a typing session.

Clients count positions in bytes, UTF-16 code units or code points. Each edit returns a new buffer.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from wordgate.errors import InvalidInput
from wordgate.text import words
from wordgate.text.cooperative_steps import finish
from wordgate.text.detokenization import is_closed_up, spacing, takes_space
from wordgate.text.normalization import LINE_BREAKS, normalise, require_unicode

_SPACING_CHARACTERS = 500
"""Length of the text before a word that decides about the spaces before and after it."""


class PositionUnit(Enum):
    """The unit in which a client counts positions.

    Go and Rust count UTF-8 bytes, JavaScript and Java UTF-16 code units, Python code points.
    """

    CODE_POINTS = "code points"
    UTF8_BYTES = "UTF-8 bytes"
    UTF16_UNITS = "UTF-16 code units"


_ENCODINGS = {PositionUnit.UTF8_BYTES: ("utf-8", 1), PositionUnit.UTF16_UNITS: ("utf-16-le", 2)}


def length_of(text: str, unit: PositionUnit) -> int:
    """Return the length of a text in a unit."""
    if unit is PositionUnit.CODE_POINTS or text.isascii():
        return len(text)
    encoding, size = _ENCODINGS[unit]
    return len(text.encode(encoding)) // size


class Edit(NamedTuple):
    """Replacement of the code points [start, end) by a text."""

    start: int
    end: int
    text: str


def _missing_space(before: str, word: str) -> str:
    """Return a space if the mark at the end of `before` needs one before a word, or ""."""
    if not before or before[-1].isspace():
        return ""
    return finish(spacing(before, words.split(normalise(word))[0]))


@dataclass(frozen=True, slots=True)
class TextBuffer:
    """A text and its cursor position in code points.

    Positions in edits are counted in `unit`. Each edit raises `InvalidInput`, naming the field of
    the protocol, for a position outside the text or inside a character.
    """

    text: str = ""
    cursor: int = 0
    unit: PositionUnit = PositionUnit.CODE_POINTS

    @property
    def before(self) -> str:
        """The text before the cursor."""
        return self.text[: self.cursor]

    @property
    def position(self) -> int:
        """The cursor position in `unit`."""
        return length_of(self.before, self.unit)

    def set(self, text: str, cursor: int | None = None) -> "TextBuffer":
        """Replace the whole text. The cursor goes to `cursor`, by default to the end."""
        require_unicode(text, "text.text")
        written = TextBuffer(text, len(text), self.unit)
        if cursor is None:
            return written
        return replace(written, cursor=written._place(cursor, "text.cursor"))

    def insert(self, text: str) -> "TextBuffer":
        """Insert a text at the cursor and move the cursor after it."""
        require_unicode(text, "insert.text")
        return self._replaced(self.cursor, self.cursor, text)

    def delete(self, before: int, after: int) -> "TextBuffer":
        """Delete `before` units before the cursor (backspace) and `after` units after it."""
        position = self.position
        if before > position:
            raise InvalidInput("delete.before", f"is {before}; the cursor is at {position}")
        start = self._place(position - before, "delete.before")
        end = self._place(position + after, "delete.after")
        return self._replaced(start, end, "")

    def replace(self, start: int, end: int, text: str) -> "TextBuffer":
        """Replace [start, end) with a text and move the cursor after it."""
        require_unicode(text, "replace.text")
        if start > end:
            raise InvalidInput("replace.start", f"is {start}, which is after the end {end}")
        return self._replaced(
            self._place(start, "replace.start"), self._place(end, "replace.end"), text
        )

    def move(self, position: int) -> "TextBuffer":
        """Move the cursor to a position."""
        return replace(self, cursor=self._place(position, "move.position"))

    def accept(self, typed: int, word: str, rest: int = 0) -> "TextBuffer":
        """Accept a suggested word: make its edit (`acceptance`), and move the cursor after it."""
        return self._replaced(*self.acceptance(typed, word, rest))

    def acceptance(self, typed: int, word: str, rest: int = 0) -> "Edit":
        """Return the edit that accepts a suggested word.

        The word replaces the `typed` code points before the cursor and the `rest` of the word after
        it. The edit includes a space that is missing before the word (after `thanks,`), and one
        space after it, which takes the place of a space that is already there. No space is used in
        or before a script without spaces, before a closing mark, or inside an address.
        """
        start, end = self.cursor - typed, self.cursor + rest
        before = self.text[max(0, start - _SPACING_CHARACTERS) : start]
        after = self.text[end : end + 1]
        text = ("" if typed else _missing_space(before, word)) + word
        if not takes_space(before + text) or (after and is_closed_up(after)):
            return Edit(start, end, text)
        if after.isspace() and after not in LINE_BREAKS:
            return Edit(start, end + 1, text + after)
        return Edit(start, end, f"{text} ")

    def _replaced(self, start: int, end: int, text: str) -> "TextBuffer":
        written = self.text[:start] + text + self.text[end:]
        return TextBuffer(written, start + len(text), self.unit)

    def _place(self, position: int, field: str) -> int:
        """Convert a position in `unit` to code points."""
        length = length_of(self.text, self.unit)
        if position > length:
            problem = f"position {position} is outside the text; it has {length} {self.unit.value}"
            raise InvalidInput(field, problem)
        if self.unit is PositionUnit.CODE_POINTS or self.text.isascii():
            return position
        encoding, size = _ENCODINGS[self.unit]
        try:
            return len(self.text.encode(encoding)[: position * size].decode(encoding))
        except UnicodeDecodeError:
            problem = f"position {position} ({self.unit.value}) is inside a character"
            raise InvalidInput(field, problem) from None

    def packed(self) -> "PackedText":
        """Convert to UTF-8 to save memory."""
        return PackedText(self.text.encode("utf-8"), self.cursor, self.unit)


@dataclass(frozen=True, slots=True)
class PackedText:
    """A text buffer stored as UTF-8. As a str, a single emoji makes all characters take 4 bytes."""

    encoded: bytes = b""
    cursor: int = 0
    unit: PositionUnit = PositionUnit.CODE_POINTS

    def unpacked(self) -> TextBuffer:
        """Convert back to an editable buffer."""
        return TextBuffer(self.encoded.decode("utf-8"), self.cursor, self.unit)
