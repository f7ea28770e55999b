"""Counting written forms for truecasing."""

from collections import Counter

from wordgate.training.data.surface_forms import count_passages, usual_forms


def test_the_usual_form_is_the_one_that_most_write() -> None:
    """A form needs five occurrences and 60 %; forms equal to the normal form are left out."""
    counts = {
        **{"London": 9, "london": 1, "I": 50, "NATO": 5, "Nato": 1},
        **{"March": 5, "march": 5, "Rare": 4, "the": 100, "The": 3},
    }
    assert usual_forms(counts) == {"i": "I", "london": "London", "nato": "NATO"}


def test_what_is_not_one_word_has_no_form() -> None:
    """Forms that normalise to several words or to none are left out."""
    assert usual_forms({"New York": 50, "½": 50, "": 50}) == {}


def test_forms_of_one_word_are_counted_together() -> None:
    """Curly and straight apostrophes are forms of one word; the more frequent one is usual."""
    assert usual_forms({"O’Brien": 6, "o'brien": 2}) == {"o'brien": "O’Brien"}
    assert usual_forms({"don’t": 20}) == {"don't": "don’t"}


def test_equal_counts_have_one_answer() -> None:
    """A tie is broken independently of the order of the forms."""
    one = usual_forms({"ABc": 30, "aBC": 30, "abc": 1})
    assert one == usual_forms({"abc": 1, "aBC": 30, "ABc": 30})


def test_words_that_begin_a_sentence_are_not_counted() -> None:
    """Words after a full stop or at the beginning are not counted."""
    counts = count_passages(["The cat saw Anna, Bob and the dog. Nobody saw London."])
    assert "The" not in counts
    assert "Nobody" not in counts
    assert counts["Anna"] == counts["Bob"] == counts["London"] == 1
    assert counts["the"] == 1


def test_passages_of_one_case_say_nothing() -> None:
    """Passages entirely in lower or upper case are not counted."""
    assert count_passages(["the cat saw anna", "THE CAT SAW ANNA"]) == Counter()


def test_addresses_are_not_counted() -> None:
    """Private data is masked before counting."""
    counts = count_passages(["Please write to Anna.Smith@example.org or call Bob."])
    assert not any("Smith" in form for form in counts)


def test_marks_have_the_width_that_most_write() -> None:
    """Chinese commas are full-width, English ones are not; both are the same token."""
    chinese = ["你好，世界！好吗？", "是的，我很好。"] * 5
    assert usual_forms(count_passages(chinese)) == {",": "，", "!": "！", "?": "？"}
    assert usual_forms(count_passages(["Well, he came!"] * 10)) == {}


def test_words_inside_scripts_without_spaces_are_counted() -> None:
    """Latin words inside scripts without spaces are counted."""
    counts = count_passages(["我用Python写代码", "他的iPhone在这里", "用AI，用AI呢ok"])
    assert counts["Python"] == counts["iPhone"] == 1
    assert counts["AI"] == 2
    assert not any("写" in form for form in counts)
