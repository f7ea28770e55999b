"""The training vocabulary."""

from collections.abc import Sequence

import pytest

from wordgate.training.data.seen_words import SeenWordCounter


def _counter(passages: Sequence[str]) -> SeenWordCounter:
    counter = SeenWordCounter()
    assert list(counter.passing(passages)) == list(passages)
    return counter


def _seen(*passages: str) -> set[str]:
    return set(_counter(passages).words())


def test_words_count_three_times_and_in_two_passages() -> None:
    """Words repeated in one passage only, or with fewer than three occurrences, are excluded."""
    assert _seen("Sea sea lake wave", "The sea, lake!", "wave wave", "xqz xqz xqz") == {
        "sea",
        "wave",
    }


def test_marks_and_parts_of_addresses_do_not_count() -> None:
    """Punctuation and addresses are excluded; digits and CJK characters are included."""
    found = _seen(*["mail anna.xyz@host.org or www.site.net/page, 42 €. 今天 (212) 867-5309"] * 3)
    assert found == {"mail", "or", "42", "今", "天"}


@pytest.mark.parametrize(
    ("misspelt", "word"),
    [("wnated", "wanted"), ("recieve", "receive"), ("definately", "definitely")],
)
def test_common_misspellings_are_suspect(misspelt: str, word: str) -> None:
    """A word is suspect if its frequency is that of a misspelling: 4 per 1,000."""
    counter = _counter([f"i {word} it"] * 1000 + [f"i {misspelt} it"] * 4)
    assert set(counter.words()) == {"i", "it", word, misspelt}
    assert set(counter.suspect()) == {misspelt}


@pytest.mark.parametrize(
    ("rarer", "word"), [("ill", "i'll"), ("wont", "won't"), ("diner", "dinner"), ("form", "from")]
)
def test_words_that_are_close_to_frequent_ones_are_not_suspect(rarer: str, word: str) -> None:
    """Words that differ only by an apostrophe, or are too frequent for typos, are not suspect."""
    counter = _counter([f"it is {word}"] * 1000 + [f"it is {rarer}"] * 20)
    assert set(counter.words()) == {"it", "is", word, rarer}
    assert not counter.suspect()
