"""The lexicon of a model bundle: tokenizer, casing, training vocabulary and excluded words."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property

from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.masks import Masks
from wordgate.lm.model_version import ModelVersion
from wordgate.lm.seen_words import SeenWords
from wordgate.lm.tokenizer import Tokenizer
from wordgate.text import words
from wordgate.text.listed_phrases import ListedPhrases
from wordgate.text.normalization import normalise


@dataclass(frozen=True)
class Lexicon:
    """The language data of a model bundle.

    `written` maps a word in normal form to its usual written form (`i` to `I`, `london` to
    `London`) where the two differ. `never_suggested` has words in normal form, and phrases whose
    last word is not suggested after the others. `seen` is the training vocabulary, None if unknown.
    `masks` replaced private data in the training text. `suspect` has the seen words that are rare
    enough to be misspellings of another word. `model` is the bundle's model.
    """

    tokenizer: Tokenizer
    levels: AdaptiveSoftmaxLayout
    written: Mapping[str, str] = field(default_factory=dict)
    never_suggested: Set[str] = frozenset()
    seen: SeenWords | None = None
    masks: Masks = field(default_factory=Masks)
    suspect: Set[str] = frozenset()
    model: ModelVersion = field(default_factory=ModelVersion)

    @cached_property
    def never_phrases(self) -> ListedPhrases:
        """The phrases among `never_suggested`."""
        several = (words.split(entry) for entry in self.never_suggested if not _is_plain(entry))
        return ListedPhrases(" ".join(found) for found in several if len(found) > 1)

    def never_after(self, before: Sequence[str]) -> Set[str]:
        """Return the words that would complete a never-suggested phrase after `before`."""
        return self.never_phrases.completed_by(before) if self.never_phrases else frozenset()

    def write(self, word: str, begins_sentence: bool, form: str | None = None) -> str:
        """Truecase a word in normal form: return its usual written form, or `form` if given.

        A lower-case form is capitalised at the beginning of a sentence. A `form` whose normal form
        is a different word is ignored.
        """
        form = form or self.written.get(word, word)
        if form != word and not is_same_word(form, word):
            form = word
        return capitalised(form) if begins_sentence and form == form.lower() else form


def _is_plain(entry: str) -> bool:
    return entry.isascii() and entry.replace("'", "").isalnum()


def is_same_word(form: str, other: str) -> bool:
    """Return whether two written forms have the same normal form, and thus the same probability.

    Changing the case can give a different word: `ß` becomes `SS`, a final `ς` becomes `Σ`, `ı`
    becomes `I`.
    """
    return form == other or normalise(form) == normalise(other)


def capitalised(form: str) -> str:
    """Capitalise the first letter, unless that gives a word with a different normal form."""
    capital = form[:1].title() + form[1:]
    return capital if is_same_word(capital, form) else form


def in_capitals(form: str) -> str:
    """Convert to upper case, except letters whose capital changes the normal form: `STRAßE`."""
    capitals = form.upper()
    if is_same_word(capitals, form):
        return capitals
    return "".join(c.upper() if is_same_word(c.upper(), c) else c for c in form)
