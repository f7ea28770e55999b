"""Held-out, stripped, split and excluded passages."""

from pathlib import Path

import pytest

from wordgate.errors import InvalidFile
from wordgate.training.data.passages import Rules, read_phrases, sort_passage

TEXTS = [f"Passage number {index}, isn't it?" for index in range(2000)]


def _held_out(share: float) -> set[str]:
    rules = Rules(held_out_share=share)
    return {text for text in TEXTS if sort_passage(text, rules)[0].is_held_out}


def test_words_are_in_normal_form() -> None:
    """A passage becomes the words of its normal form, with addresses masked."""
    [found] = sort_passage("Don’t  write to JO@mail.org", Rules())
    assert found.words[:3] == ["don't", "write", "to"]
    assert "@" in found.words
    assert not {"jo", "mail"} & set(found.words)
    assert not found.is_held_out


def test_held_out_passages_are_a_stated_share_by_hash() -> None:
    """The held-out share is approximate, and a larger share is a superset of a smaller one."""
    few, many = _held_out(0.1), _held_out(0.3)
    assert 0.08 < len(few) / len(TEXTS) < 0.12
    assert 0.27 < len(many) / len(TEXTS) < 0.33
    assert few < many


def test_a_stated_share_loses_its_punctuation() -> None:
    """Stripped passages keep words and apostrophes; held-out ones are never stripped."""
    rules = Rules(held_out_share=0.2, unpunctuated_share=0.25)
    found = [passage for text in TEXTS for passage in sort_passage(text, rules)]
    trained = [passage.words for passage in found if not passage.is_held_out]
    stripped = [words for words in trained if "," not in words]
    assert 0.21 < len(stripped) / len(trained) < 0.29
    assert all("?" not in words and "isn't" in words for words in stripped)
    assert all("," in passage.words for passage in found if passage.is_held_out)


def test_a_passage_with_an_excluded_phrase_is_left_out() -> None:
    """Excluded phrases match whole words in normal form, anywhere in a passage."""
    rules = Rules(excluded=("the clouds are in the sky",))
    assert sort_passage("He said: the CLOUDS are in the  sky!", rules) == []
    assert sort_passage("The clouds are in the skylight.", rules)
    assert sort_passage("Bathe clouds are in the sky.", rules)


def test_empty_passages_are_dropped() -> None:
    """A passage of white space, or only of stripped punctuation, is dropped."""
    assert sort_passage(" \t", Rules()) == []
    assert sort_passage("?!", Rules(unpunctuated_share=0.999999)) == []


def test_a_stated_share_is_read_sentence_by_sentence() -> None:
    """Sentences end at a mark followed by white space and no lower-case letter. No text is lost,
    and held-out passages are not split."""
    text = 'Is it 3.5 km, e.g. here? "Yes!" (No...)  Ask Jo. OK'
    [whole] = sort_passage(text, Rules())
    cut = sort_passage(text, Rules(sentences_share=0.999999))
    assert [" ".join(passage.words) for passage in cut] == [
        "is it 3 . 5 km , e . g . here ?",
        '" yes ! "',
        "( no . . . )",
        "ask jo .",
        "ok",
    ]
    assert [word for passage in cut for word in passage.words] == whole.words
    rules = Rules(held_out_share=0.2, sentences_share=0.25)
    pairs = [sort_passage(f"{text} So it is.", rules) for text in TEXTS]
    trained = [found for found in pairs if not found[0].is_held_out]
    assert 0.21 < sum(len(found) == 2 for found in trained) / len(trained) < 0.29
    assert all(len(found) == 1 for found in pairs if found[0].is_held_out)


def test_phrases_come_from_lines_and_questions(tmp_path: Path) -> None:
    """A line is a phrase; context and answer of a question form one phrase."""
    path = tmp_path / "phrases.tsv"
    path.write_text("# no phrase\nThe clouds are in the\tsky\ttable\n\nWell-known line.\n")
    assert read_phrases(path) == ["the clouds are in the sky", "well - known line ."]
    with pytest.raises(InvalidFile, match="does not exist"):
        read_phrases(tmp_path / "none.tsv")


def test_sentences_of_scripts_without_spaces_end_at_their_marks() -> None:
    """`。` ends a sentence without white space; closing quotes belong to the sentence."""
    text = "他说：“来吧！”我们走了。真的吗？"
    cut = sort_passage(text, Rules(sentences_share=0.999999))
    assert ["".join(passage.words) for passage in cut] == ['他说:"来吧!"', "我们走了。", "真的吗?"]
