"""Small vocabularies and unusual texts for the tests of text, lm and decoding."""

from collections import Counter
from functools import cache

from hypothesis import strategies as st
from tests.bundles import TEXT

from wordgate.lm.tokenizer import END_OF_WORD, Tokenizer, byte_level
from wordgate.text import words
from wordgate.text.normalization import normalise
from wordgate.training.data.bpe_training import train

TRAPS = [
    *("<eos>", "</w>", "a</w>", "<eos></w>", "don't", "’", "ŉ", "ﬁ", "İ", "ẞ", "½", "℀", "´"),
    *("e\u0301", "\u0301", "\u00ad", "\u200d", "\u200c", "\ufe0f", "❤\ufe0f", "👩\u200d👩\u200d👧"),
    *(
        "👍🏽",
        "🇩🇪",
        "🇩",
        "שלום",
        "مرحبا",
        "क्षि",
        "한",
        "\u1112\u1161\u11ab",
        "ﾊﾞ",
        "日本",
        "\0",
        "\x1f",
    ),
    *(" ", "\u00a0", "\u2028", "\n", "—", "_", "'", "Σ", "x" * 127, "١٢", "\U000e0067", "\u2066"),
]

texts = st.lists(
    st.one_of(
        st.sampled_from(TRAPS),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.sampled_from(TEXT.split()),
        st.text("aAbeE' .", max_size=4),
    ),
    max_size=8,
).map("".join)
"""Unicode texts without surrogates, including known hard cases."""


@cache
def trained() -> Tokenizer:
    """Train a tokenizer on a few lines: all bytes and about 130 merges."""
    return train(Counter(words.split(normalise(TEXT))), 640)


@cache
def tiny() -> Tokenizer:
    """Build a tokenizer so small that tests can try all sequences of three tokens.

    It lacks most bytes. `é` is two bytes, each of which may be a token. `bab` results from two
    different merges. `'` and `.` make sequences that are not a single word.
    """
    characters = ["a", "b", *byte_level("é"), "'", "."]
    first, last = list(byte_level("é"))
    merges = [
        ("a", "b"),
        (first, last + END_OF_WORD),
        ("b", "a" + END_OF_WORD),
        ("ab", "a" + END_OF_WORD),
        ("b", "ab"),
        (first, last),
        ("a", "a"),
        ("aa", "ab" + END_OF_WORD),
        ("a", "b" + END_OF_WORD),
        ("ba", "b"),
        ("b", "a"),
    ]
    names = [*characters, *(c + END_OF_WORD for c in characters), *(x + y for x, y in merges)]
    return Tokenizer.from_merges(dict.fromkeys(names), merges)
