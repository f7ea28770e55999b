"""Find the rest of the word after the cursor, which an accepted suggestion also replaces."""

from wordgate.text import words
from wordgate.text.cooperative_steps import finish
from wordgate.text.edit_buffer import TextBuffer
from wordgate.text.normalization import normalising_with_offsets

_LOOKED_AT = 2 * words.MAX_WORD_CHARACTERS


def rest_of_word(edited: TextBuffer, typed: int) -> int:
    """Return how many code points after the cursor belong to the word at the cursor.

    `typed` is the number of code points of the word before the cursor. If it is 0, a new word
    begins there and the result is 0.
    """
    begun = edited.text[edited.cursor - typed : edited.cursor]
    behind = edited.text[edited.cursor : edited.cursor + _LOOKED_AT].split(maxsplit=1)
    if not begun or not behind or edited.text[edited.cursor].isspace():
        return 0
    whole = begun + behind[0]
    normal = finish(normalising_with_offsets(whole))
    _, end = words.spans(normal.text)[0]
    return max(0, normal.ends[end - 1] - typed)
