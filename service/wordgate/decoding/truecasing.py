"""Words in normal form as this person would write them here.

Knows the language's written forms, the text and what was typed of the word; does not know how the
word was found.
"""

from collections.abc import Mapping, Sequence
from unicodedata import category

from wordgate.decoding.options import LetterCase
from wordgate.lm.lexicon import Lexicon, capitalised, in_capitals, is_same_word
from wordgate.text import words
from wordgate.text.address_spacing import form_inside, is_address
from wordgate.text.detokenization import spacing
from wordgate.text.fullwidth import as_marked
from wordgate.text.normalization import normalise
from wordgate.text.sentences import begins_sentence
from wordgate.text.steps import finish

_LOOKED_AT = 2000
"""Last characters of a text in which its own way of writing a word is looked for."""

_NEAR = 200
"""Characters before a word that tell whether it begins a sentence."""

_PLACES = 50
"""As many of its last places there are looked at."""


class Writer:
    """Writes words that go on at one place of a text."""

    def __init__(
        self,
        language: Lexicon,
        history: str,
        typed: str,
        letter_case: LetterCase,
        preferred_casing: Mapping[str, str],
    ) -> None:
        """`preferred_casing`: how the person wants words written, by normal form; they go first."""
        self._language = language
        self._begins = begins_sentence(history)
        self._begins_apart = not typed and begins_sentence(f"{history} ")
        self._in_address = is_address(history)
        self._recent = history[-_LOOKED_AT:]
        self._is_cut = len(history) > _LOOKED_AT
        self._folded = self._recent.lower().replace("’", "'")
        self._typed = typed
        self._begun = normalise(typed)
        self._letter_case = letter_case
        self._own_forms = preferred_casing

    def write(self, word: str) -> str:
        """A word as it would be written, what was typed of it taken into account.

        As the person asked for, as this text wrote it last, or as people write it; with a capital
        where a sentence begins, and in small letters inside an address. Its normal form is `word`
        in any case.
        """
        return self._written(word, self._own_forms.get(word))

    def _written(self, word: str, own: str | None) -> str:
        begins, is_in_address = self._begins, self._in_address
        if not self._typed and (self._begins_apart or is_in_address):
            is_apart = self._space_before(word) == " "
            begins = begins or (is_apart and self._begins_apart)
            is_in_address = is_in_address and not is_apart
        if is_in_address:
            form = word if self._typed else form_inside(self._recent, word)
        else:
            own = own or self._own_forms.get(word) or self._last_form(word) or self._marked(word)
            form = self._language.write(word, begins, own)
        continued = self._continue(word, form)
        return continued if is_same_word(continued, word) else form

    def instead(self, word: str) -> str:
        """A word in the place of what was typed by a slip, with its capitals."""
        form = self._form(word)
        if _is_shouted(self._typed):
            return self._shouted(word, form)
        return capitalised(form) if self._typed[:1].isupper() else form

    def phrase(self, phrase: Sequence[str], forms: Mapping[int, str] | None = None) -> str:
        """Several words with the spaces that they need; only the first begins where the text goes
        on. `forms`: how some are written, by their place."""
        forms = forms or {}
        first, *others = phrase
        before = self._recent + ("" if self._typed else self._space_before(first))
        written = self._written(first, forms.get(0))
        for place, word in enumerate(others, 1):
            form = forms.get(place) or self._form(word)
            written += finish(spacing(before + written, word)) + form
        return written

    def _space_before(self, word: str) -> str:
        return finish(spacing(self._recent, word))

    def _marked(self, word: str) -> str | None:
        """A mark in its fullwidth form, where the text writes it so."""
        marked = as_marked(self._recent, word)
        return marked if marked != word else None

    def _form(self, word: str) -> str:
        own = self._own_forms.get(word) or self._last_form(word)
        return self._language.write(word, begins_sentence=False, form=own)

    def _last_form(self, word: str) -> str | None:
        """How the text wrote a word last, its first words of sentences left out."""
        if len(self._folded) != len(self._recent) or words.is_unspaced(word[0]):
            return None  # no case; a few capitals have two small letters: places would not agree
        before = len(self._folded)
        for _ in range(_PLACES):
            place = self._folded.rfind(word, 0, before)
            if place < 0:
                break
            end = place + len(word)
            form = self._recent[place:end]
            begins = form[0].isupper() and begins_sentence(
                self._recent[max(0, place - _NEAR) : place]
            )
            if not begins and self._stands_alone(place, end) and is_same_word(form, word):
                return form
            before = end - 1
        return None

    def _stands_alone(self, start: int, end: int) -> bool:
        """Whether a stretch of the text is no part of a longer word."""
        before, after = self._folded[max(0, start - 2) : start], self._folded[end : end + 2]
        is_cut = self._is_cut and start == 0
        return not (is_cut or _goes_on(before[::-1]) or _goes_on(after))

    def _continue(self, word: str, form: str) -> str:
        """A form with the letters that were typed, as far as they are to stay as they are."""
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
        """The end of a word in capitals, but for the `s` behind an acronym: PDF's, THAT'S."""
        if word.endswith("'s") and end and self._is_acronym(word[:-2]):
            return in_capitals(end[:-1]) + end[-1]
        return in_capitals(end)

    def _is_acronym(self, word: str) -> bool:
        """Whether people write a word in capitals."""
        own = self._own_forms.get(word)
        return _is_shouted(self._language.write(word, begins_sentence=False, form=own))


def _goes_on(beside: str) -> bool:
    """Whether a word goes on with the characters beside it, the nearest first."""
    beside = beside[1:] if beside.startswith("'") else beside
    nearest = beside[:1]
    if nearest and category(nearest).startswith("M"):
        return not any(map(words.is_unspaced, beside))
    return nearest.isalnum() and not words.is_unspaced(nearest)


def _is_shouted(typed: str) -> bool:
    """Whether two letters or more were typed, all of them capitals."""
    return typed.isupper() and sum(map(str.isalpha, typed)) > 1
