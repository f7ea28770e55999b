"""Words and tokens of texts to explain, and texts without a clue."""

import pytest
from hypothesis import given
from tests.vocabularies import texts, trained

from wordgate.errors import InvalidInput
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.tokenizer import EOS
from wordgate.scoring.explained_text import END, TextWord, leave_out, read_text
from wordgate.scoring.scoring import tokenize_text
from wordgate.text.cooperative_steps import finish
from wordgate.text.normalization import LINE_BREAKS

TOKENIZER = trained()
LANGUAGE = Lexicon(TOKENIZER, AdaptiveSoftmaxLayout((TOKENIZER.size,)))


def _read(text: str, count_eos: bool = True) -> list[TextWord]:
    return finish(read_text(TOKENIZER, text, count_eos=count_eos))


def _words(text: str, count_eos: bool = True) -> list[str]:
    return [word.word for word in _read(text, count_eos)]


@given(texts)
def test_words_and_tokens_are_those_of_a_candidate(text: str) -> None:
    """A text of one line has the words and tokens with which it is scored."""
    line = "".join(" " if character in LINE_BREAKS else character for character in text) + " a"
    found = _read(line, count_eos=False)
    candidate = tokenize_text(LANGUAGE, line, "text")
    assert [word.word for word in found] == candidate.words
    assert [token for word in found for token in word.tokens] == candidate.tokens


@given(texts)
def test_words_are_written_as_sent(text: str) -> None:
    """The texts of the words are parts of the text, in order."""
    rest = text + "\na"
    for word in _read(text + "\na"):
        if not word.is_end:
            assert word.text in rest
            if word.word == word.text:
                rest = rest[rest.index(word.text) + len(word.text) :]


def test_written_and_normal_forms_differ() -> None:
    """A word keeps its capitals and accents as sent; its normal form is what the model reads."""
    assert [(each.text, each.word) for each in _read("Über  ﬁne — 上海 🦆!", count_eos=False)] == [
        ("Über", "über"),
        ("ﬁne", "fine"),
        ("—", "-"),
        ("上", "上"),
        ("海", "海"),
        ("🦆", "🦆"),
        ("!", "!"),
    ]


def test_ends_of_lines_and_of_the_text_are_entries() -> None:
    """Each is the token `<eos>`; leading, trailing and repeated line breaks are ignored."""
    assert _words("the sun\nthe sea") == ["the", "sun", "<eos>", "the", "sea", "<eos>"]
    assert _words("\n\n the sun \r\n\u2028\n the sea\n\n") == _words("the sun\nthe sea")
    assert _words("the sun\nthe sea", count_eos=False)[-1] == "sea"
    assert END.tokens == (EOS,)
    assert _words("<eos>")[:-1] == ["<", "eos", ">"]


def _problem(text: str, without: str = "", count_eos: bool = True) -> str:
    with pytest.raises(InvalidInput) as caught:
        _left(text, without, count_eos) if without else _read(text, count_eos)
    return str(caught.value)


def test_a_text_has_at_least_one_word() -> None:
    """Empty texts and white space are rejected."""
    for text in ("", " \n\t", "\u200b"):
        assert _problem(text) == "text: has no word; send at least one"


def test_long_texts_are_rejected() -> None:
    """255 words with ends of lines and 512 tokens are accepted, one more is not."""
    assert len(_read("a " * 255, count_eos=False)) == 255
    assert _problem("a " * 256) == "text: has at least 256 words; send at most 255"
    assert len(_read("a\n" * 128, count_eos=False)) == 255
    assert "257 words" in _problem("a\n" * 129)
    assert sum(len(word.tokens) for word in _read("🦆" * 128, count_eos=False)) == 512
    assert _problem("🦆" * 128 + "a") == "text: has at least 513 tokens; send at most 512"


def test_lone_surrogates_are_rejected() -> None:
    """They are not characters."""
    assert _problem("a \ud800").startswith("text: has a lone surrogate")
    assert _problem("a b", "\ud800").startswith("without: has a lone surrogate")


def _left(text: str, without: str, count_eos: bool = True) -> tuple[str, str]:
    """Return the words before those left out and those after, as texts."""
    read = _read(text, count_eos)
    rest = finish(leave_out(read, without))
    before = " ".join(word.word for word in read[: rest.start])
    return before, " ".join(read[index].word for index in rest.indices)


def test_the_first_occurrence_is_left_out() -> None:
    """Words are compared in normal form."""
    assert _left("the Sun, the sun and the sea", "THE sun") == ("", ", the sun and the sea <eos>")
    assert _left("the Sun, the sun and the sea", "the sun and") == ("the sun ,", "the sea <eos>")


def test_only_whole_words_of_one_line_are_left_out() -> None:
    """A part of a word, and words on both sides of a line break, do not occur."""
    problem = "without: does not occur in the text as whole words of one line"
    assert _problem("the sunny sea", "sun") == problem
    assert _problem("the sun\nthe sea", "sun the") == problem
    assert _problem("the sun", "<eos>") == problem
    assert _problem("the sun", " ") == "without: has no word; send words of the text"


def test_a_line_left_out_takes_one_line_end_with_it() -> None:
    """What is left is the text as it would be read without the words."""
    assert _left("the sun\nthe sea", "the sun") == ("", "the sea <eos>")
    assert _left("a\nthe sun\nthe sea", "the sun") == ("a <eos>", "the sea <eos>")
    assert _left("a\nthe sun", "the sun") == ("a", "<eos>")
    assert _left("a the sun\nthe sea", "the sun") == ("a", "<eos> the sea <eos>")


def test_words_must_follow_those_left_out() -> None:
    """Otherwise there is nothing to compare."""
    problem = "without: leaves no words after it; leave out fewer words"
    assert _problem("the sun", "the sun") == problem
    assert _problem("the sun", "sun", count_eos=False) == problem
    assert _problem("a\nthe sun", "the sun", count_eos=False) == problem
    assert _left("the sun", "sun") == ("the", "<eos>")
