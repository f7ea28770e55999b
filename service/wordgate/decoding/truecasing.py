"""Truecasing: choose the written form of a word in normal form from its context."""

from collections.abc import Mapping, Sequence
from unicodedata import category

from wordgate.decoding.options import LetterCase
from wordgate.lm.lexicon import Lexicon, capitalised, in_capitals, is_same_word
from wordgate.text import words
from wordgate.text.addresses import casing_in_address, ends_in_address
from wordgate.text.cooperative_steps import finish
from wordgate.text.detokenization import spacing
from wordgate.text.fullwidth import as_marked
from wordgate.text.normalization import normalise
from wordgate.text.sentences import begins_sentence

_LOOKED_AT = 2000
"""Number of characters at the end of a text to search for earlier uses of a word."""

_NEAR = 200
"""Number of characters before a word that decide whether it begins a sentence."""

_PLACES = 50
"""Maximum number of earlier uses to examine."""


class Writer:
    """Writes words that continue a text at one position."""

    def __init__(
        self,
        language: Lexicon,
        history: str,
        typed: str,
        letter_case: LetterCase,
        preferred_casing: Mapping[str, str],
    ) -> None:
        """`preferred_casing` has the user's casing by normal form, which takes precedence."""
        self._language = language
        self._begins = begins_sentence(history)
        self._begins_apart = not typed and begins_sentence(f"{history} ")
        self._in_address = ends_in_address(history)
        self._recent = history[-_LOOKED_AT:]
        self._is_cut = len(history) > _LOOKED_AT
        self._may_mark = not self._recent.isascii()
        self._folded = self._recent.lower().replace("’", "'")
        self._typed = typed
        self._begun = normalise(typed)
        self._letter_case = letter_case
        self._preferred_casing = preferred_casing

    def write(self, word: str) -> str:
        """Return the written form of a word, in agreement with the typed prefix.

        The form is the user's casing, else the form last used in this text, else the usual written
        form. It is capitalised at the beginning of a sentence and lower case inside an address. Its
        normal form is always `word`.
        """
        return self._written(word)

    def _written(self, word: str, own: str | None = None) -> str:
        begins, is_in_address = self._begins, self._in_address
        if not self._typed and (self._begins_apart or is_in_address):
            is_apart = self._space_before(word) == " "
            begins = begins or (is_apart and self._begins_apart)
            is_in_address = is_in_address and not is_apart
        if is_in_address:
            form = word if self._typed else casing_in_address(self._recent, word)
        else:
            own = own or self._preferred_casing.get(word)
            if own is None and word in self._folded:
                own = self._last_form(word)
            if own is None and self._may_mark:
                own = self._marked(word)
            form = self._language.write(word, begins, own)
        if not self._typed:
            return form
        continued = self._continue(word, form)
        return continued if is_same_word(continued, word) else form

    def instead(self, word: str) -> str:
        """Return the written form of a correction, with the capitals of the typed word."""
        form = self._form(word)
        if _is_shouted(self._typed):
            return self._shouted(word, form)
        return capitalised(form) if self._typed[:1].isupper() else form

    def phrase(self, phrase: Sequence[str], forms: Mapping[int, str] | None = None) -> str:
        """Join the words of a phrase with the spaces they need, truecased.

        `forms` has the casing of some words, by index.
        """
        forms = forms or {}
        first, *others = phrase
        before = self._recent + ("" if self._typed else self._space_before(first))
        written = self._written(first, forms.get(0))
        for index, word in enumerate(others, 1):
            form = forms.get(index) or self._form(word)
            written += finish(spacing(before + written, word)) + form
        return written

    def _space_before(self, word: str) -> str:
        return finish(spacing(self._recent, word))

    def _marked(self, word: str) -> str | None:
        """Return the fullwidth form of a mark if the text uses it, else None."""
        marked = as_marked(self._recent, word)
        return marked if marked != word else None

    def _form(self, word: str) -> str:
        own = self._preferred_casing.get(word) or self._last_form(word)
        return self._language.write(word, begins_sentence=False, form=own)

    def _last_form(self, word: str) -> str | None:
        """Return how the text last wrote a word, ignoring capitals at sentence beginnings."""
        if len(self._folded) != len(self._recent) or words.is_unspaced(word[0]):
            return None  # no case, or lower-casing changed the length
        before = len(self._folded)
        for _ in range(_PLACES):
            index = self._folded.rfind(word, 0, before)
            if index < 0:
                break
            end = index + len(word)
            form = self._recent[index:end]
            begins = form[0].isupper() and begins_sentence(
                self._recent[max(0, index - _NEAR) : index]
            )
            if not begins and self._stands_alone(index, end) and is_same_word(form, word):
                return form
            before = end - 1
        return None

    def _stands_alone(self, start: int, end: int) -> bool:
        """Return whether a span of the text is not part of a longer word."""
        before, after = self._folded[max(0, start - 2) : start], self._folded[end : end + 2]
        is_cut = self._is_cut and start == 0
        return not (is_cut or _goes_on(before[::-1]) or _goes_on(after))

    def _continue(self, word: str, form: str) -> str:
        """Put the typed letters into a form where their casing must be kept."""
        typed = self._typed
        if not typed or form.startswith(typed) or not word.startswith(self._begun):
            return form
        rest = word[len(self._begun) :]
        if _is_shouted(typed):
            return typed + self._shouted(word, rest)
        if self._letter_case is LetterCase.AS_TYPED or typed[0].isupper():
            return typed + rest
        return form

    def _shouted(self, word: str, end: str) -> str:
        """Capitalise the rest of a word, except the `s` after an acronym: PDF's, THAT'S."""
        if word.endswith("'s") and end and self._is_acronym(word[:-2]):
            return in_capitals(end[:-1]) + end[-1]
        return in_capitals(end)

    def _is_acronym(self, word: str) -> bool:
        """Return whether a word is usually written in capitals."""
        own = self._preferred_casing.get(word)
        return _is_shouted(self._language.write(word, begins_sentence=False, form=own))


def _goes_on(beside: str) -> bool:
    """Return whether a word continues with the adjacent characters, nearest first."""
    beside = beside[1:] if beside.startswith("'") else beside
    nearest = beside[:1]
    if nearest and category(nearest).startswith("M"):
        return not any(map(words.is_unspaced, beside))
    return nearest.isalnum() and not words.is_unspaced(nearest)


def _is_shouted(typed: str) -> bool:
    """Return whether at least two letters were typed, all of them capitals."""
    return typed.isupper() and sum(map(str.isalpha, typed)) > 1
