"""Texts that are expensive to read: long, rare, without spaces, and never cached."""

from collections.abc import Sequence
from random import Random

from wordgate.bench.isolation.load import (
    MARK,
)

COMMON = (
    *("the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with", "be"),
    *("by", "on", "not", "he", "his", "but", "at", "are", "this", "have", "from", "or", "had"),
    *("an", "they", "which", "one", "you", "were", "all", "her", "she", "there", "would", "their"),
    *("we", "him", "been", "has", "when", "who", "will", "no", "more", "if", "out", "so", "up"),
)


def words(random: Random, size: int) -> str:
    """Return common words, about `size` bytes."""
    text = " ".join(random.choices(COMMON, k=size // 2))[:size]
    return text.rpartition(" ")[0] or text


def marked(parts: Sequence[str]) -> str:
    """Return words with unique letters after every 16th, so that no context is cached."""
    return " ".join(f"{part} {MARK}" if n % 16 == 0 else part for n, part in enumerate(parts))


def long_history(random: Random) -> str:
    """Return common words, about 64 KB; the part that the model reads is never cached."""
    return f"{words(random, 63_000)} {marked(words(random, 1200).split())}"


def most_tokens(random: Random) -> str:
    """Return words, about 64 KB, that make the model read as many tokens as possible.

    Of 16 words, 13 are letters of four bytes, so that 128 words have at most 512 tokens. The text
    ends one word before a multiple of 128.
    """
    letters = [" ".join(characters(random, 13, 0x1E922, 0x1E943)) for _ in range(104 * 8)]
    return " ".join(f"{MARK} a {each} a" for each in letters).removesuffix(" a")


def unbroken(random: Random, first: int, last: int) -> str:
    """Return characters without spaces, 64 KB if they have three bytes each."""
    parts = (MARK + characters(random, 16, first, last) for _ in range(1160))
    return "".join(parts)


def rare_word(random: Random, letters: int) -> str:
    """Return random letters."""
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=letters))


def rare_words(random: Random, size: int, letters: int = 9) -> str:
    """Return out-of-vocabulary words, about `size` bytes."""
    return " ".join(rare_word(random, letters) for _ in range(size // (letters + 1)))


def characters(random: Random, count: int, first: int, last: int) -> str:
    """Return random characters between two code points."""
    return "".join(map(chr, random.choices(range(first, last + 1), k=count)))
