"""Error counting."""

from wordgate.evaluation.error_rate import Counting, Normalise, Unit


def test_edits_between_words_are_counted() -> None:
    """A substitution, a deletion and an insertion are one error each."""
    counting = Counting()
    said = ["the cat sat", "the cat sat", "the cat sat", "", "a", ""]
    heard = ["the cat sat", "a cat", "the the fat cat sat", "so", "", ""]
    assert counting.errors(said, heard) == [0, 2, 2, 1, 1, 0]
    assert [counting.length(text) for text in said] == [3, 3, 3, 0, 1, 0]


def test_normal_forms_are_compared_if_asked_for() -> None:
    """`basic` ignores case, punctuation and the shape of quotes; `none` compares everything."""
    said, heard = ["It’s here, Bob."], ["it's   here bob"]
    assert Counting(Normalise.BASIC).errors(said, heard) == [0]
    assert Counting(Normalise.NONE).errors(said, heard) == [3]
    assert Counting(Normalise.BASIC).length(said[0]) == 3


def test_characters_may_be_the_unit() -> None:
    """Character error rates count characters, including spaces between words."""
    counting = Counting(unit=Unit.CHAR)
    assert counting.errors(["the cat"], ["thecut"]) == [2]
    assert counting.length("the  cat") == 7


def test_spaces_between_chinese_characters_are_no_characters() -> None:
    """Spaces between Chinese characters do not affect word or character counts."""
    for unit in Unit:
        counting = Counting(Normalise.BASIC, unit)
        assert counting.length("我想去北京。") == 5
        assert counting.errors(["我想去北京。"], ["我 想 去 背 京"]) == [1]
        assert counting.errors(["用 iphone 看"], ["用iphone看"]) == [0]
