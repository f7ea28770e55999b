"""What a bundle knows of its language, beside the network.

Knows pieces, how words are written, which are suggested and which never; does not know the network.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.masks import Masks
from wordgate.lm.seen_words import SeenWords
from wordgate.lm.tokenizer import Tokenizer
from wordgate.text import words
from wordgate.text.listed_phrases import ListedPhrases
from wordgate.text.normalization import normalise


@dataclass(frozen=True)
class Lexicon:
    """A vocabulary with the way people write it.

    `written` maps a word in normal form to its usual written form (`i` to `I`, `london` to
    `London`) where the two differ. `never_suggested` holds words in normal form, and phrases of
    which the last word is not suggested behind the others. `seen` are the words of the training
    text, None where they are not known; `masks` stood there for private data. `suspect` are the
    seen words that are no more frequent than misspellings of another word would be.
    """

    pieces: Tokenizer
    levels: AdaptiveSoftmaxLayout
    written: Mapping[str, str] = field(default_factory=dict)
    never_suggested: Set[str] = frozenset()
    seen: SeenWords | None = None
    masks: Masks = field(default_factory=Masks)
    suspect: Set[str] = frozenset()

    @cached_property
    def never_phrases(self) -> ListedPhrases:
        """The entries of several words among `never_suggested`."""
        several = (words.split(entry) for entry in self.never_suggested if not _is_plain(entry))
        return ListedPhrases(" ".join(found) for found in several if len(found) > 1)

    def never_after(self, before: Sequence[str]) -> Set[str]:
        """Return words that would complete an entry of several words behind these words."""
        return self.never_phrases.completed_by(before) if self.never_phrases else frozenset()

    def write(self, word: str, begins_sentence: bool, form: str | None = None) -> str:
        """Write a word in normal form as people do, or in the form that is given.

        With a capital where a sentence begins, unless the form has one of its own. A form of
        another word is not used.
        """
        form = form or self.written.get(word, word)
        form = form if is_same_word(form, word) else word
        return capitalised(form) if begins_sentence and form == form.lower() else form


def _is_plain(entry: str) -> bool:
    return entry.isascii() and entry.replace("'", "").isalnum()


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
