"""Truecasing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vocabularies import texts, trained

from wordgate.bundle.bundle import read_words
from wordgate.bundle.bundled_model import resolve_bundle
from wordgate.decoding.options import LetterCase
from wordgate.decoding.prediction import split_typed
from wordgate.decoding.truecasing import Writer
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.tokenizer import Tokenizer
from wordgate.text import words
from wordgate.text.normalization import normalise

TOKENIZER = trained()
LANGUAGE = Lexicon(
    TOKENIZER,
    AdaptiveSoftmaxLayout((TOKENIZER.size,)),
    written={"i": "I", "i'll": "I'll", "london": "London", "london's": "London's", "pdf": "PDF"},
)
OWN = {"wordgate": "WordGate", "lxc": "lxc", "naïve": "naïve"}
WRITTEN, TYPED = LetterCase.TRUECASE, LetterCase.AS_TYPED


def _writer(history: str = "the sea", typed: str = "", case: LetterCase = WRITTEN) -> Writer:
    return Writer(LANGUAGE, history, typed, case, OWN)


@pytest.mark.parametrize(
    ("typed", "word", "written", "as_typed"),
    [
        ("", "london", "London", "London"),
        ("lon", "london", "London", "london"),
        ("Lon", "london", "London", "London"),
        ("LON", "london", "LONDON", "LONDON"),
        ("LO", "london's", "LONDON'S", "LONDON'S"),
        ("THAT'", "that's", "THAT'S", "THAT'S"),
        ("PD", "pdf's", "PDF's", "PDF's"),
        ("PDF'", "pdf's", "PDF's", "PDF's"),
        ("LONDON'S", "london's", "LONDON'S", "LONDON'S"),
        ("L", "london", "London", "London"),
        ("S", "sea", "Sea", "Sea"),
        ("pd", "pdf", "PDF", "pdf"),
        ("Pd", "pdf", "Pdf", "Pdf"),
        ("P", "pdf", "PDF", "PDF"),
        ("i", "i'll", "I'll", "i'll"),
        ("I'", "i'll", "I'll", "I'll"),
        ("I’", "i'll", "I’ll", "I’ll"),
        ("don’", "don't", "don't", "don’t"),
        ("Don’", "don't", "Don’t", "Don’t"),
        ("DON’", "don't", "DON’T", "DON’T"),
        ("ﬁ", "find", "find", "ﬁnd"),
        ("cafe\u0301", "cafés", "cafés", "cafe\u0301s"),
        ("sEa", "sea", "sea", "sEa"),
        ("wo", "wordgate", "WordGate", "wordgate"),
        ("Wo", "wordgate", "WordGate", "WordGate"),
        ("WORDG", "wordgate", "WORDGATE", "WORDGATE"),
        ("İ", "i̇stanbul", "İstanbul", "İstanbul"),
        ("ß", "ßa", "ßa", "ßa"),
        ("ẞ", "ßa", "ẞa", "ẞa"),
        ("STRA", "straße", "STRAßE", "STRAßE"),
        ("ΟΔ", "οδος", "ΟΔΟς", "ΟΔΟς"),
    ],
)
def test_typed_letters_stay_as_they_are_to(
    typed: str, word: str, written: str, as_typed: str
) -> None:
    """Typed capitals stay.

    Small letters become the usual form, unless the option AS_TYPED is set. A prefix in capitals is
    continued in capitals.
    """
    assert _writer(typed=typed).write(word) == written
    assert _writer(typed=typed, case=TYPED).write(word) == as_typed


@pytest.mark.parametrize(
    ("history", "word", "form"),
    [
        ("", "sea", "Sea"),
        ("Yes. ", "london", "London"),
        ("Yes.", "lxc", "Lxc"),
        ("Yes.", "wordgate", "WordGate"),
        ("Yes.", "naïve", "Naïve"),
        ("Yes.", "'tis", "'tis"),
        ("Yes.", "ß", "ß"),
        ("Yes.", "ßa", "ßa"),
        ("Yes.", "ıspanak", "ıspanak"),
        ("Yes.", "ǰa", "J̌a"),
        ("Yes.", "ა", "ა"),
        ("Yes.", ",", ","),
        ("Hello,\n", "sea", "Sea"),
        ("Hello,\r\n  ", "sea", "Sea"),
        ("e.g. ", "sea", "sea"),
        ("3.", "5", "5"),
        ("你好。", "sea", "Sea"),
    ],
)
def test_a_sentence_begins_with_a_capital(history: str, word: str, form: str) -> None:
    """All words are capitalised, unless they have a capital of their own or no case."""
    assert _writer(history).write(word) == form


@pytest.mark.parametrize(
    ("history", "word", "form"),
    [
        ("we saw the Sea and", "sea", "Sea"),
        ("we saw the Sea, the sea and", "sea", "sea"),
        ("we saw london and", "london", "london"),
        ("The sea. Sea and", "the", "the"),
        ("He is Back. Back and", "back", "Back"),
        ("the Seaside and", "sea", "sea"),
        ("underSea and", "sea", "sea"),
        ("the Sea's and", "sea", "sea"),
        ("say 'Sea' and", "sea", "Sea"),
        ("we said Don't and", "don", "don"),
        ("we said Don’t and", "don't", "Don’t"),
        ("we said Don’t and", "don", "don"),
        ("a Cafe\u0301 and", "cafe", "cafe"),
        ("the İ Sea and", "sea", "sea"),
        ("we write wordgate and", "wordgate", "WordGate"),
        ("the Sea " + "seaside " * 40, "sea", "Sea"),
        ("the Sea " + "seaside " * 60, "sea", "sea"),
        ("the Sea " + "x " * 2000, "sea", "sea"),
        ("x" * 1999 + "London", "london", "London"),
        ("x" * 2000 + " London", "london", "London"),
        ("我用IPhone，", "iphone", "IPhone"),
        ("ดีIPhone ", "iphone", "IPhone"),
        ("y" * 100 + "lonDON" + " " * 1994, "london", "London"),
    ],
)
def test_the_text_tells_how_it_writes_a_word(history: str, word: str, form: str) -> None:
    """The last form in the text counts, except at sentence beginnings and inside other words."""
    assert _writer(history).write(word) == form


@pytest.mark.parametrize(
    ("history", "typed", "word", "form"),
    [
        ("anna@gmail.", "c", "com", "com"),
        ("anna@gmail.", "", "com", "com"),
        ("anna@", "g", "gmail", "gmail"),
        ("see file.", "t", "the", "the"),
        ("see file.", "", "the", "The"),
        ("see file.", "", "txt", "txt"),
        ("see file.", "T", "the", "The"),
        ("www.", "lon", "london", "london"),
        ("www.", "", "london", "london"),
        ("www.", "Lon", "london", "London"),
        ("http://", "w", "wordgate", "wordgate"),
        ("live in (", "lon", "london", "London"),
        ("ask Dr. ", "lon", "london", "London"),
        ("the U.", "", "s", "S"),
        ("the U.", "s", "s", "s"),
        ("at 9 p.", "", "m", "m"),
        ("我在", "lon", "london", "London"),
    ],
)
def test_a_typed_small_letter_is_not_raised_inside_an_address(
    history: str, typed: str, word: str, form: str
) -> None:
    """Nor after a full stop without white space. An untyped word may begin a sentence."""
    assert _writer(history, typed).write(word) == form


def test_a_form_of_another_word_is_not_used() -> None:
    """Neither a form from the text nor one from the lexicon is used if its normal form differs."""
    assert _writer("η ΟΔΟΣ και").write("οδος") == "οδος"
    assert Lexicon(TOKENIZER, LANGUAGE.levels, {"ß": "SS"}).write("ß", begins_sentence=True) == "ß"
    assert Writer(LANGUAGE, "", "", WRITTEN, {"sea": "lake"}).write("sea") == "Sea"


def test_preferred_casing_goes_before_the_text() -> None:
    """White space around a listed word is ignored; see `Options.preferred_casing`."""
    assert _writer("the Lxc and").write("lxc") == "lxc"


@pytest.mark.parametrize(
    ("typed", "word", "form"),
    [
        ("teh", "the", "the"),
        ("Teh", "the", "The"),
        ("TEH", "the", "THE"),
        ("lodnon", "london", "London"),
        ("Wrodgate", "wordgate", "WordGate"),
        ("LODNON'S", "london's", "LONDON'S"),
        ("PFD'S", "pdf's", "PDF's"),
        ("STARS", "straße", "STRAßE"),
        ("OOD", "οδος", "ΟΔΟς"),
    ],
)
def test_corrections_keep_capitals(typed: str, word: str, form: str) -> None:
    """A correction keeps the capitals that were typed, or has its own."""
    assert _writer(typed=typed).instead(word) == form


def test_a_phrase_goes_on_as_people_write() -> None:
    """Only the first word of a phrase continues the typed prefix."""
    assert _writer("", "S").phrase(["see", "london", "i"]) == "See London I"
    assert _writer("the sea", "SE").phrase(["sea", "wordgate"]) == "SEA WordGate"


def test_a_phrase_has_the_spaces_that_people_write() -> None:
    """No spaces are added around scripts without spaces or inside numbers and addresses."""
    assert _writer("我").phrase(["想", "去", "london", "看", "看"]) == "想去London看看"
    assert _writer("เขา").phrase(["ไ", "ป", "5"]) == "ไป5"
    assert _writer("it is version").phrase(["3", ".", "8", ".", "1"]) == "3.8.1"
    assert _writer("write to").phrase(["anna", "@", "example", ".", "com"]) == "anna@example.com"


@given(texts, texts, st.sampled_from(list(LetterCase)))
def test_whatever_is_typed_the_word_is_the_same(history: str, text: str, case: LetterCase) -> None:
    """The written form always has the word as its normal form, and keeps typed letters."""
    _, typed = split_typed(text)
    if not typed:
        return
    word = normalise(typed) + "n"
    written = Writer(LANGUAGE, history, typed, case, {}).write(word)
    assert normalise(written) == normalise(word)
    if case is TYPED or typed[0].isupper():
        assert written.startswith(typed)


def test_every_letter_with_case_stays_the_same_word() -> None:
    """Typed, in capitals, corrected, continued or seen before, the normal form stays the same."""
    cased = [c for c in map(chr, range(0x110000)) if {c.lower(), c.upper(), c.title()} != {c}]
    assert len(cased) > 2500
    found = {normalise(word) for c in cased for word in (c, f"{c}a", f"ba{c}")}
    for word in sorted(word for word in found if words.split(word) == [word]):
        _stays_the_same(word)


def test_words_of_the_shipped_model_stay_the_same() -> None:
    """This holds for single-token words and words with a usual written form."""
    bundle = resolve_bundle(None)
    tokenizer = Tokenizer.from_json((bundle / "tokenizer.json").read_text("utf-8"))
    written = read_words(bundle / "words.tsv").written
    language = Lexicon(tokenizer, AdaptiveSoftmaxLayout((tokenizer.size,)), written)
    single = [
        tokenizer.canonical_word((p,)) for p in range(1, tokenizer.size) if tokenizer.ends_word[p]
    ]
    found = {word for word in single if word} | language.written.keys()
    assert len(found) > 5000
    for word in sorted(found)[::5]:
        _stays_the_same(word, language)


def _stays_the_same(word: str, language: Lexicon = LANGUAGE) -> None:
    assert normalise(language.write(word, begins_sentence=True)) == word
    for typed in ("", word[:1].upper(), word[:2].upper(), "AB"):
        for history in ("", f"a {word.upper()} a"):
            writer = Writer(language, history, typed, WRITTEN, {})
            forms = (writer.write(word), writer.instead(word), writer.phrase([word]))
            assert [form for form in forms if normalise(form) != word] == []
