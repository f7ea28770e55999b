"""Inflections of never-suggested words."""

from pathlib import Path

import pytest

from wordgate.bundle.bundled_model import resolve_bundle
from wordgate.text.inflections import with_inflections

LISTED = ("fuck", "bitch", "ass", "cock", "slut", "tit", "wank", "rape", "cum", "spic", "jap")


@pytest.mark.parametrize(
    "word",
    [
        *("fucker's", "fuckers'", "fuckin", "fuckin'", "fucky", "fuckers", "fucked", "bitch's"),
        *("bitches", "bitchy", "bitching", "asses", "cocks", "slutty", "sluttier", "titties"),
        *("wankers", "raping", "rapes", "cumming", "ass's"),
    ],
)
def test_inflections_go_with_their_word(word: str) -> None:
    """Inflections may have a suffix, a doubled consonant, an apostrophe or a dropped `e`."""
    assert word in with_inflections(LISTED)


@pytest.mark.parametrize(
    "word",
    [
        *("assess", "asset", "assign", "class", "glass", "pass", "cocktail", "cockpit", "peacock"),
        *("scunthorpe", "cumin", "document", "spicy", "spices", "special", "japan", "title"),
        *("titan", "titter", "grape", "therapist", "hello", "bitcoin", "shitake", "cocky"),
    ],
)
def test_words_that_only_contain_such_a_word_stay(word: str) -> None:
    """Words that merely contain a listed word are not inflections, nor are known ordinary words."""
    assert word not in with_inflections(LISTED)


def test_no_ordinary_word_of_the_shipped_list_is_withheld() -> None:
    """The inflections of the bundled list contain no everyday word."""
    text = Path(__file__).parents[1] / "data" / "everyday.txt"
    listed = (resolve_bundle(None).parent / "never_suggested.txt").read_text("utf-8")
    never = [line for line in listed.splitlines() if line and not line.startswith("#")]
    assert len(never) > 100
    assert not with_inflections(never) & set(text.read_text("utf-8").lower().split())


def test_short_words_and_other_scripts_are_not_inflected() -> None:
    """Listed words stay listed."""
    assert with_inflections(["a", "хуй", "4x"]) >= {"a", "хуй", "4x"}
    assert "as" not in with_inflections(["a"])


@pytest.mark.parametrize(
    ("language", "expected"), [("en", True), ("en-GB", True), ("EN", True), ("fr", False)]
)
def test_only_english_words_have_english_suffixes(language: str, expected: bool) -> None:
    """A French bundle that lists `cul` still suggests `culs`, unless it is listed too."""
    found = with_inflections(["cul"], language)
    assert ("culs" in found) is expected
    assert "cul" in found
