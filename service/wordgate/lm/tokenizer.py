"""The tokenizer: byte-pair encoding within words.

An end-of-word suffix marks the last token of a word, so the probability of a word is the product of
its tokens' probabilities. All 256 bytes are tokens with and without the suffix, so every text can
be encoded and there are no out-of-vocabulary words. `<eos>` begins and ends every text. It is token
0, and no text encodes to it.

Byte-pair encoding: Sennrich et al. 2016, arXiv 1508.07909. Byte alphabet: Radford et al. 2019.
"""

import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache, partial
from itertools import chain
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers.models import BPE

from wordgate.lm import tokenizer_json
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.text import normalization as normal_form
from wordgate.text import words
from wordgate.text.cooperative_steps import Steps, batches

EOS = 0
EOS_NAME = "<eos>"
END_OF_WORD = "</w>"
_MAX_KEPT_CHARACTERS = 32
"""Longer words are not cached: they would take gigabytes."""

_WORDS_PER_STEP = 64
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]


def _byte_characters() -> list[str]:
    others = (byte for byte in range(256) if byte not in _PRINTABLE)
    shifted = {byte: chr(256 + index) for index, byte in enumerate(others)}
    return [shifted.get(byte, chr(byte)) for byte in range(256)]


BYTE_CHARACTERS = _byte_characters()
"""One printable character per byte."""

_AS_LATIN_1 = {ord(character): chr(byte) for byte, character in enumerate(BYTE_CHARACTERS)}

LEADING_NUMBERS = 256 * 257


def leading_number(written: bytes) -> int:
    """Encode the first two bytes as a number below `LEADING_NUMBERS`.

    The number is a multiple of 257 if there is no second byte. Numbers with the same first byte
    follow it.
    """
    first, second = written[:1], written[1:2]
    return 257 * int.from_bytes(first) + (1 + second[0] if second else 0)


_id_of = attrgetter("id")


def byte_level(word: str) -> str:
    """Map the UTF-8 bytes of a word to printable characters, one per byte."""
    return "".join(map(BYTE_CHARACTERS.__getitem__, word.encode("utf-8")))


class Tokenizer:
    """A token vocabulary and the canonical segmentation of words into tokens.

    `size` is the number of tokens. Token ids start at 0 and descend in frequency. `bytes_of[p]` has
    the bytes of token p, `ends_word` (bool [size]) tells whether it ends its word.
    """

    eos = EOS

    def __init__(self, names: Sequence[str], merges: Sequence[tuple[str, str]]) -> None:
        """`names` is ordered by token id, `<eos>` first; `merges` by rank."""
        spelling = _Spelling(names, merges)
        self.size = len(spelling.names)
        self.bytes_of = spelling.bytes_of
        self.ends_word = spelling.ends_word
        self._spelling = spelling
        # The caches refer to the spelling, never to this object. A reference cycle would keep an
        # unloaded vocabulary in memory until a full garbage collection, which blocks the process.
        self._kept_word = lru_cache(maxsize=1 << 16)(spelling.encode_word)
        canonical = partial(spelling.canonical_word, self._kept_word)
        self.canonical_word = lru_cache(maxsize=1 << 16)(canonical)
        self.adjacent = lru_cache(maxsize=1 << 17)(spelling.adjacent)
        self.continuations = lru_cache(maxsize=4096)(spelling.continuations)
        self.leading_within = lru_cache(maxsize=64)(spelling.leading_within)
        self.fitting = lru_cache(maxsize=4096)(partial(_fitting, self.continuations))

    @classmethod
    def from_merges(cls, order: Iterable[str], merges: Sequence[tuple[str, str]]) -> "Tokenizer":
        """Build a tokenizer from its token names in order (without `<eos>`) and merges by rank."""
        return cls([EOS_NAME, *order], merges)

    @classmethod
    def from_json(cls, document: str) -> "Tokenizer":
        """Build a tokenizer from the text of a `tokenizer.json`. Raises `ValueError`."""
        names, merges = tokenizer_json.read(document, END_OF_WORD)
        _check_names(names)
        return cls(names, merges)

    def to_json(self) -> str:
        """Return the text of a `tokenizer.json` for the Hugging Face library."""
        return str(HuggingFaceTokenizer(self._spelling.model).to_str(pretty=False))

    def encode(self, text: str, field: str = "text") -> list[int]:
        """Return the canonical tokens of a text, without `<eos>`.

        Raises `InvalidInput` naming `field` for text that is not Unicode (lone surrogates).
        """
        return self.encode_words(words.split(normal_form.normalise(text, field)))

    def decode(self, tokens: Iterable[int]) -> str:
        """Convert tokens to text, with a space between words."""
        written = b"".join(
            self.bytes_of[token] + (b" " if self.ends_word[token] else b"") for token in tokens
        )
        return written.decode("utf-8", errors="replace").rstrip(" ")

    def text_of(self, token: int) -> str:
        """Return a token as text. Bytes that are not whole characters are written as `<0xF0>`."""
        if token == EOS:
            return EOS_NAME
        return "".join(_characters(self.bytes_of[token]))

    @property
    def leading(self) -> NDArray[np.int64]:
        """First bytes of each token as a number (`leading_number`): int64 [size]."""
        return self._spelling.leading

    def warm_up(self, layout: AdaptiveSoftmaxLayout) -> None:
        """Build the indices of prefixes, so that the first requests with a prefix are not slow."""
        self.fitting(layout, 0, b"a")  # also imports a part of NumPy, which takes 20 ms
        _ = self.leading

    def encode_word(self, word: str) -> tuple[int, ...]:
        """Return the canonical tokens of a word in normal form. Short words are cached.

        The end of a line, `words.LINE_END`, is encoded as `<eos>`.
        """
        short = len(word) <= _MAX_KEPT_CHARACTERS
        return self._kept_word(word) if short else self._spelling.encode_word(word)

    def encode_words(self, words: Sequence[str]) -> list[int]:
        """Return the concatenated canonical tokens of words in normal form."""
        if words and max(map(len, words)) > _MAX_KEPT_CHARACTERS:
            return list(chain.from_iterable(map(self.encode_word, words)))
        return list(chain.from_iterable(map(self._kept_word, words)))

    def encoding_each(self, words: Sequence[str]) -> Steps[list[tuple[int, ...]]]:
        """Return the canonical tokens of each word in normal form, in steps."""
        found: list[tuple[int, ...]] = []
        for part in batches(words, _WORDS_PER_STEP):
            for word in part:
                found.append(self.encode_word(word))
                if len(word) > _MAX_KEPT_CHARACTERS:
                    yield
            yield
        return found


class _Spelling:
    """The spelling of tokens and the segmentation of words, without caches of results."""

    def __init__(self, names: Sequence[str], merges: Sequence[tuple[str, str]]) -> None:
        number_of = {name: number for number, name in enumerate(names)}
        merges = list(merges)
        self.names = list(number_of)
        self.model = BPE(vocab=number_of, merges=merges, end_of_word_suffix=END_OF_WORD)
        self._inner_model = BPE(vocab=number_of, merges=merges)  # without the end-of-word suffix
        self.bytes_of = [_bytes_of(name) for name in self.names]
        ends = [name.endswith(END_OF_WORD) and name != EOS_NAME for name in self.names]
        self.ends_word: NDArray[np.bool_] = np.array(ends)

    def encode_word(self, word: str) -> tuple[int, ...]:
        """Return the canonical tokens of a word in normal form, or of the end of a line."""
        if word == words.LINE_END:
            return (EOS,)
        return tuple(map(_id_of, self.model.tokenize(byte_level(word))))

    def canonical_word(
        self, kept_word: Callable[[str], tuple[int, ...]], tokens: tuple[int, ...]
    ) -> str | None:
        """Return the word whose canonical segmentation these tokens are, or None.

        The result is None if the tokens are not valid UTF-8, do not spell exactly one word in
        normal form, or differ from what `encode` gives for it. `kept_word` encodes short words.
        """
        try:
            word = b"".join(map(self.bytes_of.__getitem__, tokens)).decode("utf-8")
        except UnicodeDecodeError:
            return None
        encode = kept_word if len(word) <= _MAX_KEPT_CHARACTERS else self.encode_word
        if encode(word) != tokens or normal_form.normalise(word) != word:
            return None
        return word if words.split(word) == [word] else None

    def continuations(self, prefix: bytes) -> NDArray[np.int64]:
        """Return the tokens, ascending, that may come next if `prefix` is still to be spelled.

        They begin with the prefix, or spell the beginning of it without ending the word.
        """
        ordered, numbers = self._by_bytes
        first = bisect.bisect_left(ordered, prefix)
        after = first
        while after < len(ordered) and ordered[after].startswith(prefix):
            after += 1
        found = set(numbers[first:after])
        for length in range(1, len(prefix)):
            beginning = prefix[:length]
            index = bisect.bisect_left(ordered, beginning)
            while index < len(ordered) and ordered[index] == beginning:
                if not self.ends_word[numbers[index]]:
                    found.add(numbers[index])
                index += 1
        return np.array(sorted(found), dtype=np.int64)

    @cached_property
    def _by_bytes(self) -> tuple[list[bytes], list[int]]:
        numbers = sorted(range(1, len(self.names)), key=lambda token: self.bytes_of[token])
        return [self.bytes_of[token] for token in numbers], numbers

    @cached_property
    def leading(self) -> NDArray[np.int64]:
        """First bytes of each token as a number (`leading_number`): int64 [size]."""
        return np.array([leading_number(written) for written in self.bytes_of])

    def leading_within(self, first: int, after: int) -> NDArray[np.int64]:
        """Return the distinct leading numbers of tokens [first, after)."""
        return np.unique(self.leading[first:after])

    def adjacent(self, first: int, second: int) -> bool:
        """Return whether the second token may follow the first within a word.

        A token sequence is canonical if and only if every two neighbours are the canonical
        segmentation of their concatenation (Berglund and van der Merwe 2023, arXiv 2309.08715).
        """
        written = self.names[first] + self.names[second].removesuffix(END_OF_WORD)
        model = self.model if self.ends_word[second] else self._inner_model
        return [token.id for token in model.tokenize(written)] == [first, second]


def _fitting(
    continuations: Callable[[bytes], NDArray[np.int64]],
    levels: AdaptiveSoftmaxLayout,
    level: int,
    remaining: bytes,
) -> NDArray[np.int64]:
    """Return the entries of a level's row that agree with the `remaining` bytes of the prefix."""
    if not remaining:
        return np.arange(EOS + 1 if level == 0 else 0, levels.width(level))
    return levels.entries(level, continuations(remaining))


def _check_names(names: Sequence[str]) -> None:
    """Raise `ValueError` unless all tokens are byte sequences and all 256 bytes are tokens."""
    if names[:1] != [EOS_NAME]:
        raise ValueError(f"token {EOS} is not {EOS_NAME}")
    alphabet = frozenset(BYTE_CHARACTERS)
    for number, name in enumerate(names[1:], 1):
        if name in ("", END_OF_WORD) or not alphabet.issuperset(name):
            raise ValueError(f"token {number}: {name[:50]!a} is not a sequence of bytes")
    known = set(names)
    for character in BYTE_CHARACTERS:
        for name in (character, character + END_OF_WORD):
            if name not in known:
                raise ValueError(f"token {name!a} is missing: some texts cannot be encoded")


def _characters(written: bytes) -> Iterator[str]:
    """Yield the characters of a token, and each byte that is not part of a whole character."""
    for character in written.decode("utf-8", errors="surrogateescape"):
        byte = ord(character) - 0xDC00
        yield f"<0x{byte:02X}>" if 0x80 <= byte <= 0xFF else character


def _bytes_of(name: str) -> bytes:
    if name == EOS_NAME:
        return b""
    return name.removesuffix(END_OF_WORD).translate(_AS_LATIN_1).encode("latin-1")
