"""What a bundle knows of its language, beside the network.

Knows pieces, how words are written, which are suggested and which never; does not know the network.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from wordgate.core.levels import Levels
from wordgate.core.masks import Masks
from wordgate.core.pieces import Pieces
from wordgate.core.seen_words import SeenWords
from wordgate.core.text import normalise

_ENDS_SENTENCE = (".", "!", "?")
_CLOSES = "\"')]}”’»"


@dataclass(frozen=True)
class Language:
    """A vocabulary with the way people write it.

    `written` maps a word in normal form to its usual written form (`i` to `I`, `london` to
    `London`) where the two differ. `never_suggested` holds words in normal form. `seen` are the
    words of the training text, None where they are not known; `masks` stood there for private data.
    """

    pieces: Pieces
    levels: Levels
    written: Mapping[str, str] = field(default_factory=dict)
    never_suggested: Set[str] = frozenset()
    seen: SeenWords | None = None
    masks: Masks = field(default_factory=Masks)

    def write(self, word: str, begins_sentence: bool, form: str | None = None) -> str:
        """Write a word in normal form as people do, or in the form that is given.

        With a capital where a sentence begins, unless the form has one of its own. A form of
        another word is not used.
        """
        form = form or self.written.get(word, word)
        form = form if is_same_word(form, word) else word
        return capitalised(form) if begins_sentence and form == form.lower() else form


def is_same_word(form: str, other: str) -> bool:
    """Return whether two written forms have one normal form, so one probability.

    Changing the case can make another word: `ß` becomes `SS`, a final `ς` becomes `Σ`, `ı` becomes
    `I`.
    """
    return form == other or normalise(form) == normalise(other)


def capitalised(form: str) -> str:
    """A word with a capital at its beginning; unchanged if that would make it another word."""
    capital = form[:1].title() + form[1:]
    return capital if is_same_word(capital, form) else form


def in_capitals(form: str) -> str:
    """A word in capitals; letters whose capital would make it another word stay: `STRAßE`."""
    capitals = form.upper()
    if is_same_word(capitals, form):
        return capitals
    return "".join(c.upper() if is_same_word(c.upper(), c) else c for c in form)


def begins_sentence(history: str) -> bool:
    """Whether the next word begins a sentence: at the start, or after a full stop, `!` or `?`."""
    before = history.rstrip().rstrip(_CLOSES).rstrip()
    return not before or before.endswith(_ENDS_SENTENCE)
