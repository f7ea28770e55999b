"""English inflections of the never-suggested words, which are never suggested either.

`fuck` also excludes `fucker's` and `fuckin'`. Ordinary words that have the form of an inflection
(`spicy`, `cumin`) may be suggested, and so may words that merely contain a listed word (`cocktail`,
`class`): an inflection is the whole word with a suffix.
"""

from collections.abc import Iterable, Iterator, Set

_SUFFIXES = ("s", "es", "ed", "er", "ers", "ing", "ings", "in", "y", "ies", "ier", "iest")
_APOSTROPHES = ("'s", "s'", "'")
_VOWELS = "aeiou"
_MIN_LETTERS = 3

_INNOCENT = frozenset(
    (
        *("booby", "cocked", "cocker", "cockers", "cockier", "cocking", "cocky", "cumin"),
        *("cummings", "fagin", "pricked", "pricking", "rapier", "rapiers", "spiced", "spicer"),
        *("spices", "spicier", "spiciest", "spicing", "spicy", "spunky", "titter", "titters"),
    )
)
"""Ordinary words that only look like an inflection."""


def is_english(language: str) -> bool:
    """Return whether a BCP 47 tag denotes English, such as `en` or `en-GB`."""
    return language.split("-", maxsplit=1)[0].lower() == "en"


def with_inflections(never_suggested: Iterable[str], language: str = "en") -> Set[str]:
    """Add the English inflections of normalised words. Other languages return the words alone."""
    listed = frozenset(never_suggested)
    if not is_english(language):
        return listed
    forms = set(listed)
    for word in listed:
        if word.isalpha() and len(word) >= _MIN_LETTERS:
            made = [each for each in _inflected(word) if each not in _INNOCENT]
            forms.update(made)
            forms.update(each + end for each in (word, *made) for end in _APOSTROPHES)
    return forms


def _inflected(word: str) -> Iterator[str]:
    """Yield a word with each suffix, also with the last consonant doubled or a last `e` dropped."""
    stems = [word]
    if word[-1] not in _VOWELS and word[-2] in _VOWELS:
        stems.append(word + word[-1])
    if word[-1] == "e":
        stems.append(word[:-1])
    for stem in stems:
        for suffix in _SUFFIXES:
            if stem == word or suffix[0] in _VOWELS + "y":
                yield stem + suffix
