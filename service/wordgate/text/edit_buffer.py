"""A text with a cursor, and what a person does to it.

Knows characters and the units in which clients count them, and where a word is followed by a space;
does not know models. A text is a value: an edit gives another one.
"""

from dataclasses import dataclass, replace
from enum import Enum

from wordgate.errors import InvalidInput
from wordgate.text.detokenization import is_closed_up, takes_space
from wordgate.text.normalization import LINE_BREAKS, require_unicode


class PositionUnit(Enum):
    """What a client counts positions in: Go and Rust bytes, JavaScript and Java UTF-16, Python
    code points."""

    CODE_POINTS = "code points"
    UTF8_BYTES = "UTF-8 bytes"
    UTF16_UNITS = "UTF-16 code units"


_ENCODINGS = {PositionUnit.UTF8_BYTES: ("utf-8", 1), PositionUnit.UTF16_UNITS: ("utf-16-le", 2)}


def length_of(text: str, unit: PositionUnit) -> int:
    """How long a text is in a unit."""
    if unit is PositionUnit.CODE_POINTS or text.isascii():
        return len(text)
    encoding, size = _ENCODINGS[unit]
    return len(text.encode(encoding)) // size


@dataclass(frozen=True, slots=True)
class TextBuffer:
    """A text and the place of its cursor, counted in code points.

    Positions of edits are counted in `unit`. Each edit raises `InvalidInput` naming the field, as
    the protocol calls it, for a position outside the text or inside a character.
    """

    text: str = ""
    cursor: int = 0
    unit: PositionUnit = PositionUnit.CODE_POINTS

    @property
    def before(self) -> str:
        """Everything up to the cursor."""
        return self.text[: self.cursor]

    @property
    def position(self) -> int:
        """The cursor's place in the text's unit."""
        return length_of(self.before, self.unit)

    def set(self, text: str, cursor: int | None = None) -> "TextBuffer":
        """Another text, the cursor at its end unless a position is named."""
        require_unicode(text, "text.text")
        written = TextBuffer(text, len(text), self.unit)
        if cursor is None:
            return written
        return replace(written, cursor=written._place(cursor, "text.cursor"))

    def insert(self, text: str) -> "TextBuffer":
        """Put a text at the cursor, which then stands behind it."""
        require_unicode(text, "insert.text")
        return self._replaced(self.cursor, self.cursor, text)

    def delete(self, before: int, after: int) -> "TextBuffer":
        """Take away so much before the cursor and behind it, as backspace and delete do."""
        position = self.position
        if before > position:
            raise InvalidInput("delete.before", f"is {before}; the cursor is at {position}")
        start = self._place(position - before, "delete.before")
        end = self._place(position + after, "delete.after")
        return self._replaced(start, end, "")

    def replace(self, start: int, end: int, text: str) -> "TextBuffer":
        """Put a text in the place of [start, end); the cursor then stands behind it."""
        require_unicode(text, "replace.text")
        if start > end:
            raise InvalidInput("replace.start", f"is {start}, behind the end {end}")
        return self._replaced(
            self._place(start, "replace.start"), self._place(end, "replace.end"), text
        )

    def move(self, position: int) -> "TextBuffer":
        """Put the cursor elsewhere."""
        return replace(self, cursor=self._place(position, "move.position"))

    def accept(self, typed: int, word: str, rest: int = 0) -> "TextBuffer":
        """Put a suggested word in the place of the `typed` code points before the cursor and the
        `rest` of the word behind it.

        The cursor then stands behind the word and a space, one that was there or a new one; behind
        the word alone in a script that writes no spaces and before one, before a mark that closes,
        and inside an address. The cursor stays in its line.
        """
        end = self.cursor + rest
        after = self.text[end : end + 1]
        written = self._replaced(self.cursor - typed, end, word)
        if not takes_space(written.before) or (after and is_closed_up(after)):
            return written
        if after.isspace() and after not in LINE_BREAKS:
            return replace(written, cursor=written.cursor + 1)
        return written.insert(" ")

    def _replaced(self, start: int, end: int, text: str) -> "TextBuffer":
        written = self.text[:start] + text + self.text[end:]
        return TextBuffer(written, start + len(text), self.unit)

    def _place(self, position: int, field: str) -> int:
        """The code point at a position."""
        length = length_of(self.text, self.unit)
        if position > length:
            problem = f"reaches {position}; the text has {length} {self.unit.value}"
            raise InvalidInput(field, problem)
        if self.unit is PositionUnit.CODE_POINTS or self.text.isascii():
            return position
        encoding, size = _ENCODINGS[self.unit]
        try:
            return len(self.text.encode(encoding)[: position * size].decode(encoding))
        except UnicodeDecodeError:
            problem = f"reaches into a character at {position} {self.unit.value}"
            raise InvalidInput(field, problem) from None

    def packed(self) -> "PackedText":
        """Convert to a form that takes less memory."""
        return PackedText(self.text.encode("utf-8"), self.cursor, self.unit)


@dataclass(frozen=True, slots=True)
class PackedText:
    """An edited text at rest, in UTF-8: a single emoji makes Python take 4 bytes per character."""

    encoded: bytes = b""
    cursor: int = 0
    unit: PositionUnit = PositionUnit.CODE_POINTS

    def unpacked(self) -> TextBuffer:
        """Convert back, to edit or read the text."""
        return TextBuffer(self.encoded.decode("utf-8"), self.cursor, self.unit)
