"""Tokenization, and the canonical segmentation of words."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.vocabularies import TRAPS, texts, tiny, trained

from wordgate.errors import InvalidInput
from wordgate.lm.tokenizer import BYTE_CHARACTERS, END_OF_WORD, EOS, Tokenizer, byte_level
from wordgate.text import words
from wordgate.text.normalization import normalise

TRAINED = trained()
_numbers = st.integers(1, TRAINED.size - 1)


@given(texts)
@example("<eos>")
@example("x" * 10_000)
@example("".join(TRAPS))
def test_every_text_has_tokens_that_write_it(text: str) -> None:
    """The tokens of any text spell its words, and none of them is `<eos>`."""
    found = TRAINED.encode(text)
    assert TRAINED.decode(found) == " ".join(words.split(normalise(text)))
    assert EOS not in found


@given(texts)
def test_one_token_ends_each_word(text: str) -> None:
    """The number of word-final tokens is the number of words."""
    found = TRAINED.encode(text)
    assert TRAINED.ends_word[found].sum() == len(words.split(normalise(text)))


def test_tokens_are_written_as_text() -> None:
    """Whole characters as they are, other bytes in hexadecimal, the end of a text as `<eos>`."""
    assert TRAINED.text_of(EOS) == "<eos>"
    assert "".join(map(TRAINED.text_of, TRAINED.encode("the sun"))) == "thesun"
    assert [TRAINED.text_of(token) for token in TRAINED.encode("🦆")] == [
        f"<0x{byte:02X}>" for byte in "🦆".encode()
    ]


def test_the_names_of_special_tokens_are_plain_text() -> None:
    """`<eos>` and `</w>` in a user's text are brackets and letters."""
    for text in ("<eos>", "</w>", "a</w>", "the</w>"):
        written = [TRAINED.bytes_of[token] for token in TRAINED.encode(text)]
        assert b"".join(written).decode() == text
    assert TRAINED.encode("the </w>")[0] == TRAINED.encode("the")[0]
    assert len(TRAINED.encode("</w>")) == 4
    assert TRAINED.bytes_of[EOS] == b""
    assert not TRAINED.ends_word[EOS]


def test_a_surrogate_is_refused_by_field() -> None:
    """Text that is not Unicode is rejected with the field named."""
    with pytest.raises(InvalidInput) as refused:
        TRAINED.encode("a\ud800", "history")
    assert refused.value.field == "history"


def test_a_long_word_is_cut_and_still_encoded() -> None:
    """A word of 10,000 letters is encoded as 79 words."""
    found = TRAINED.encode("z" * 10_000)
    assert TRAINED.ends_word[found].sum() == 79
    assert b"".join(TRAINED.bytes_of[token] for token in found) == b"z" * 10_000


def test_json_brings_the_same_vocabulary_back() -> None:
    """A tokenizer that is written and read again gives the same tokens."""
    again = Tokenizer.from_json(TRAINED.to_json())
    assert again.bytes_of == TRAINED.bytes_of
    assert np.array_equal(again.ends_word, TRAINED.ends_word)
    assert again.encode("the clouds, naïve 🦆") == TRAINED.encode("the clouds, naïve 🦆")
    assert again.to_json() == TRAINED.to_json()


def test_each_byte_has_a_character_of_its_own() -> None:
    """There are 256 distinct printable characters; printable ASCII maps to itself."""
    assert len(set(BYTE_CHARACTERS)) == 256
    assert all(character.isprintable() and character != " " for character in BYTE_CHARACTERS)
    assert byte_level("don't") == "don't"


@given(texts)
def test_the_canonical_tokens_of_a_word_are_that_word(text: str) -> None:
    """Each word of a text is restored from its canonical tokens."""
    for word in words.split(normalise(text)):
        if normalise(word) == word and words.split(word) == [word]:
            assert TRAINED.canonical_word(TRAINED.encode_word(word)) == word


def test_other_tokens_of_a_word_are_not_that_word() -> None:
    """A word spelled letter by letter is rejected if the vocabulary has longer tokens for it."""
    whole = TRAINED.encode_word("the")
    letters = [*(_token(c) for c in "th"), _token("e" + END_OF_WORD)]
    assert whole != tuple(letters)
    assert TRAINED.canonical_word(tuple(letters)) is None


@pytest.mark.parametrize(
    "names",
    [
        ["t", "h"],
        [byte_level("é")[0] + END_OF_WORD],
        [byte_level("é")[1], "a" + END_OF_WORD],
        ["a", byte_level("é")[0] + END_OF_WORD],
        ["." + END_OF_WORD, "." + END_OF_WORD],
        [".", "a" + END_OF_WORD],
        ["A" + END_OF_WORD],
        [byte_level(" ") + END_OF_WORD],
        [byte_level("\0") + END_OF_WORD],
    ],
    ids=str,
)
def test_what_is_no_word_is_none(names: list[str]) -> None:
    """A missing word end, broken UTF-8, two words, capitals and white space are rejected."""
    assert TRAINED.canonical_word(tuple(_token(name) for name in names)) is None


def _token(name: str) -> int:
    ends = name.endswith(END_OF_WORD)
    written = bytes(BYTE_CHARACTERS.index(c) for c in name.removesuffix(END_OF_WORD))
    return next(
        token
        for token in range(1, TRAINED.size)
        if TRAINED.bytes_of[token] == written and bool(TRAINED.ends_word[token]) == ends
    )


def _is_canonical(tokenizer: Tokenizer, sequence: tuple[int, ...]) -> bool:
    """Return whether encoding a word's bytes as a whole gives exactly this sequence."""
    written = "".join(BYTE_CHARACTERS[b] for token in sequence for b in tokenizer.bytes_of[token])
    return tuple(t.id for t in tokenizer._spelling.model.tokenize(written)) == sequence


def _neighbours_fit(tokenizer: Tokenizer, sequence: tuple[int, ...]) -> bool:
    return all(tokenizer.adjacent(*pair) for pair in itertools.pairwise(sequence))


def test_canonical_is_what_its_neighbours_are_everywhere() -> None:
    """A sequence is canonical if and only if all neighbours may be adjacent.

    Exhaustive for two to four tokens of a tiny vocabulary.
    """
    tokenizer = tiny()
    inner = [p for p in range(1, tokenizer.size) if not tokenizer.ends_word[p]]
    last = [p for p in range(1, tokenizer.size) if tokenizer.ends_word[p]]
    for length in (2, 3, 4):
        for sequence in itertools.product(*[inner] * (length - 1), last):
            assert _neighbours_fit(tokenizer, sequence) == _is_canonical(tokenizer, sequence), (
                sequence
            )


_inner_numbers = st.sampled_from([p for p in range(1, TRAINED.size) if not TRAINED.ends_word[p]])
_last_numbers = st.sampled_from([p for p in range(1, TRAINED.size) if TRAINED.ends_word[p]])


@given(st.lists(_inner_numbers, min_size=1, max_size=8), _last_numbers)
def test_canonical_is_what_its_neighbours_are(inner: list[int], last: int) -> None:
    """Random sequences are canonical if and only if all neighbours may be adjacent."""
    sequence = (*inner, last)
    assert _neighbours_fit(TRAINED, sequence) == _is_canonical(TRAINED, sequence)


@given(st.text("theandsur", min_size=2, max_size=12))
def test_neighbours_of_canonical_tokens_may_stand_together(word: str) -> None:
    """The search never rejects tokens that `encode` gives."""
    assert _neighbours_fit(TRAINED, TRAINED.encode_word(word))


@given(st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=30), st.data())
def test_the_claim_holds_for_any_list_of_merges(drawn: list[str], data: st.DataObject) -> None:
    """For any merges in any order, adjacency decides whether a sequence is canonical."""
    letters = ["a", "b", "a" + END_OF_WORD, "b" + END_OF_WORD]
    known, merges = list(letters), []
    for _ in drawn:
        first = data.draw(st.sampled_from([n for n in known if not n.endswith(END_OF_WORD)]))
        merge = first, data.draw(st.sampled_from(known))
        if merge not in merges:
            merges.append(merge)
            known.append(merge[0] + merge[1])
    tokenizer = Tokenizer.from_merges(dict.fromkeys(known), merges)
    sequences = st.lists(st.integers(1, tokenizer.size - 1), min_size=2, max_size=6).map(tuple)
    for sequence in data.draw(st.lists(sequences, max_size=20)):
        if tokenizer.ends_word[sequence[-1]] and not any(tokenizer.ends_word[list(sequence[:-1])]):
            assert _neighbours_fit(tokenizer, sequence) == _is_canonical(tokenizer, sequence)


@given(st.text("theon é.日", max_size=4).map(str.encode), _numbers)
def test_continuations_are_the_tokens_by_which_a_prefix_may_be_reached(
    prefix: bytes, token: int
) -> None:
    """A token may come next if it begins with the prefix or is an unfinished beginning of it."""
    found = TRAINED.continuations(prefix)
    assert list(found) == sorted(set(found))
    written = TRAINED.bytes_of[token]
    begins = prefix.startswith(written) and len(written) < len(prefix)
    expected = written.startswith(prefix) or (begins and not TRAINED.ends_word[token])
    assert (token in found) == expected


def test_long_words_are_not_kept() -> None:
    """Long words are not cached, so clients cannot fill the memory with them."""
    kept = TRAINED._kept_word.cache_info().currsize
    for letter in "abcdefgh":
        assert b"".join(TRAINED.bytes_of[p] for p in TRAINED.encode_word(letter * 33))
    assert TRAINED._kept_word.cache_info().currsize == kept
    TRAINED.encode_word("kept" * 8)
    assert TRAINED._kept_word.cache_info().currsize == kept + 1
