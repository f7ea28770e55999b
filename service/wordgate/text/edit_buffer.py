"""An immutable text buffer with a cursor, and the edits of a typing session.

Clients count positions in bytes, UTF-16 code units or code points. Each edit returns a new buffer.
"""

from dataclasses import dataclass, replace
from enum import Enum

from wordgate.errors import InvalidInput
from wordgate.text import words
from wordgate.text.cooperative_steps import finish
from wordgate.text.detokenization import is_closed_up, spacing, takes_space
from wordgate.text.normalization import LINE_BREAKS, normalise, require_unicode

_SPACING_CHARACTERS = 500
"""Length of the text before a word that decides whether a space is missing before it."""


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
        """Accept a suggested word.

        The word replaces the `typed` code points before the cursor and the `rest` of the word after
        it. A space that is missing before it is inserted (`missing_space`). The cursor moves past
        the word and one space, which is inserted if it is not there yet. No space is used in or
        before a script without spaces, before a closing mark, or inside an address. The cursor
        stays on its line.
        """
        end = self.cursor + rest
        after = self.text[end : end + 1]
        spaced = self.missing_space(typed, word) + word
        written = self._replaced(self.cursor - typed, end, spaced)
        if not takes_space(written.before) or (after and is_closed_up(after)):
            return written
        if after.isspace() and after not in LINE_BREAKS:
            return replace(written, cursor=written.cursor + 1)
        return written.insert(" ")

    def missing_space(self, typed: int, word: str) -> str:
        """Return a space if a word needs one after the mark before the cursor, or an empty text."""
        before = self.before[-_SPACING_CHARACTERS:]
        if typed or not before or before[-1].isspace():
            return ""
        return finish(spacing(before, words.split(normalise(word))[0]))

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
