"""The built-in data of the probes."""

from collections import Counter, defaultdict

import pytest

from wordgate.errors import InvalidConfiguration
from wordgate.evaluation.probes.builtin import PROPERTIES, builtin, languages_of
from wordgate.text import words
from wordgate.text.normalization import normalise

KNOWN = [(name, language) for name in PROPERTIES for language in languages_of(name)]


@pytest.mark.parametrize(("name", "language"), KNOWN)
def test_every_example_is_a_word_of_its_text(name: str, language: str) -> None:
    """Texts are in normal form, and the index of each example is that of a word."""
    data = builtin(name, language)
    assert 1000 < len(data.examples) < 5000
    for example in data.examples:
        found = words.split(normalise(example.text))
        assert 0 <= example.word < len(found)
    assert data == builtin(name, language)


@pytest.mark.parametrize("name", ["number", "gender"])
def test_the_words_do_not_give_the_label_away(name: str) -> None:
    """Both labels are equally frequent, and each word type that is frequent has both equally."""
    data = builtin(name, "en")
    labels = Counter(example.label for example in data.examples)
    assert len(set(labels.values())) == 1
    by_type: dict[str, Counter[str]] = defaultdict(Counter)
    for example in data.examples:
        by_type[example.text.split()[example.word]][example.label] += 1
    for counts in by_type.values():
        if counts.total() >= 40:
            assert max(counts.values()) / counts.total() < 0.65


def test_quotes_and_positions_are_counted_from_the_text() -> None:
    """Inside means an odd number of quotation marks before the word; a position counts words."""
    for language in ("en", "zh"):
        for example in builtin("quote", language).examples:
            found = words.split(normalise(example.text))
            is_inside = found[: example.word].count('"') % 2 == 1
            assert example.label == ("inside" if is_inside else "outside")
            assert found[example.word] != '"'
        assert all(int(e.label) == e.word + 1 for e in builtin("position", language).examples)


def test_a_property_without_texts_in_the_language_is_refused() -> None:
    """Number and gender are in English only; a region does not matter."""
    assert builtin("number", "en-GB") == builtin("number", "en")
    with pytest.raises(InvalidConfiguration, match="--probe: the texts of number are in en, but"):
        builtin("number", "zh")
    with pytest.raises(InvalidConfiguration, match="texts of quote are in en, zh"):
        builtin("quote", "de")
