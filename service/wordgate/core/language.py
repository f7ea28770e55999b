"""What a bundle knows of its language, beside the network.

Knows pieces, how words are written and which are never suggested; does not know the network.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from wordgate.core.levels import Levels
from wordgate.core.pieces import Pieces

_ENDS_SENTENCE = (".", "!", "?")
_CLOSES = "\"')]}”’»"


@dataclass(frozen=True)
class Language:
    """A vocabulary with the way people write it.

    `written` maps a word in normal form to its usual written form (`i` to `I`, `london` to
    `London`) where the two differ. `never_suggested` holds words in normal form.
    """

    pieces: Pieces
    levels: Levels
    written: Mapping[str, str] = field(default_factory=dict)
    never_suggested: Set[str] = frozenset()

    def write(self, word: str, begins_sentence: bool, form: str | None = None) -> str:
        """A word in normal form as people write it, or in the form that is given.

        With a capital where a sentence begins, unless the form has one of its own.
        """
        form = form or self.written.get(word, word)
        return capitalised(form) if begins_sentence and form == form.lower() else form


def capitalised(form: str) -> str:
    """A word with a capital at its beginning; as it is in a script that begins nothing so."""
    return form[:1].title() + form[1:]


def begins_sentence(history: str) -> bool:
    """Whether the next word begins a sentence: at the start, or after a full stop, `!` or `?`."""
    before = history.rstrip().rstrip(_CLOSES).rstrip()
    return not before or before.endswith(_ENDS_SENTENCE)
