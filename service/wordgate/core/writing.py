"""Words in normal form as this person would write them here.

Knows the language's written forms, the text and what was typed of the word; does not know how the
word was found.
"""

from collections.abc import Mapping, Sequence

from wordgate.core.language import Language, begins_sentence
from wordgate.core.options import LetterCase

_LOOKED_AT = 2000
"""Last characters of a text in which its own way of writing a word is looked for."""


class Writer:
    """Writes words that go on at one place of a text."""

    def __init__(
        self,
        language: Language,
        history: str,
        typed: str,
        letter_case: LetterCase,
        own_forms: Mapping[str, str],
    ) -> None:
        """`own_forms`: how the person wants words written, by normal form; they go first."""
        self._language = language
        self._begins = begins_sentence(history)
        self._recent = history[-_LOOKED_AT:]
        self._folded = self._recent.lower()
        self._typed = typed
        self._letter_case = letter_case
        self._own_forms = own_forms

    def write(self, word: str) -> str:
        """A word as it would be written, what was typed of it taken into account.

        As the person asked for, as this text wrote it last, or as people write it; with a capital
        where a sentence begins.
        """
        form = self._own_forms.get(word) or self._last_form(word)
        return self._continue(self._language.write(word, self._begins, form))

    def instead(self, word: str) -> str:
        """A word in the place of what was typed by a slip, with its capitals."""
        form = self._form(word)
        if _is_shouted(self._typed):
            return form.upper()
        return form[:1].upper() + form[1:] if self._typed[:1].isupper() else form

    def phrase(self, phrase: Sequence[str]) -> str:
        """Several words with spaces between them; only the first begins where the text goes on."""
        first, *others = phrase
        return " ".join([self.write(first), *map(self._form, others)])

    def _form(self, word: str) -> str:
        own = self._own_forms.get(word) or self._last_form(word)
        return self._language.write(word, begins_sentence=False, form=own)

    def _last_form(self, word: str) -> str | None:
        """How the text wrote a word last, its first words of sentences left out."""
        if len(self._folded) != len(self._recent):
            return None  # a few capitals have two small letters: places would not agree
        place = self._folded.rfind(word)
        while place >= 0:
            end = place + len(word)
            stands_alone = not _in_word(self._folded[place - 1 : place] if place else "")
            if stands_alone and not _in_word(self._folded[end : end + 1]):
                form = self._recent[place:end]
                if not form[0].isupper() or not begins_sentence(self._recent[:place]):
                    return form
            place = self._folded.rfind(word, 0, end - 1)
        return None

    def _continue(self, form: str) -> str:
        """A form with the letters that were typed, as far as they are to stay as they are."""
        typed = self._typed
        if not typed or form.startswith(typed) or not form.lower().startswith(typed.lower()):
            return form
        if _is_shouted(typed):
            return f"{form[:-2].upper()}'s" if form.endswith("'s") else form.upper()
        if self._letter_case is LetterCase.TYPED or typed[0].isupper():
            return typed + form[len(typed) :].lower()
        return form


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "'"


def _is_shouted(typed: str) -> bool:
    """Whether two letters or more were typed, all of them capitals."""
    return typed.isupper() and sum(map(str.isalpha, typed)) > 1
