"""Which words a training text has."""

from wordgate.training.seen_words import SeenWordCounter


def _seen(*passages: str) -> set[str]:
    counter = SeenWordCounter()
    assert list(counter.passing(passages)) == list(passages)
    return set(counter.words())


def test_words_count_three_times_and_in_two_passages() -> None:
    """A word that one passage repeats, and one that two have once, do not."""
    assert _seen("Sea sea lake wave", "The sea, lake!", "wave wave", "xqz xqz xqz") == {
        "sea",
        "wave",
    }


def test_marks_and_parts_of_addresses_do_not_count() -> None:
    """Digits do, and so does each letter of a script without spaces."""
    found = _seen(*["mail anna.xyz@host.org or www.site.net/page, 42 €. 今天 (212) 867-5309"] * 3)
    assert found == {"mail", "or", "42", "今", "天"}
