"""Pieces: byte-pair encoding inside a word.

Knows words and the vocabulary; does not know the model. A piece says itself whether it ends its
word (an end-of-word suffix), so the probability of a word is the product of its pieces. All 256
bytes exist with and without the suffix: every text has pieces, nothing is unknown. `<eos>`, which
begins and ends every text, is piece 0 and is made by no text.

Byte-pair encoding: Sennrich et al. 2016, arXiv 1508.07909. Byte alphabet: Radford et al. 2019.
"""

import bisect
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import BPE

from wordgate.core import text as normal_form
from wordgate.core import words
from wordgate.core.steps import Steps, batches

EOS = 0
EOS_NAME = "<eos>"
END_OF_WORD = "</w>"
_MAX_KEPT_CHARACTERS = 32
"""Longer words are cut into pieces each time anew: kept ones would take gigabytes."""

_WORDS_A_STEP = 64
_NEW_WORD_WORK, _CHARACTER_WORK = 16, 3
"""Work to cut a word that is not kept."""

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]


def _byte_characters() -> list[str]:
    others = (byte for byte in range(256) if byte not in _PRINTABLE)
    shifted = {byte: chr(256 + index) for index, byte in enumerate(others)}
    return [shifted.get(byte, chr(byte)) for byte in range(256)]


BYTE_CHARACTERS = _byte_characters()
"""A printable character for each byte."""

_BYTE_OF = {character: byte for byte, character in enumerate(BYTE_CHARACTERS)}


LEADING_NUMBERS = 256 * 257


def leading_number(written: bytes) -> int:
    """The first two bytes as a number below `LEADING_NUMBERS`: a multiple of 257 when there is no
    second one, and those with the same first byte follow it."""
    first, second = written[:1], written[1:2]
    return 257 * int.from_bytes(first) + (1 + second[0] if second else 0)


def byte_level(word: str) -> str:
    """The UTF-8 bytes of a word as printable characters, one a byte."""
    return "".join(BYTE_CHARACTERS[byte] for byte in word.encode("utf-8"))


class Pieces:
    """A vocabulary of pieces and the canonical way to cut words into them.

    `size` pieces, numbered from 0 by falling frequency; `bytes_of[p]` is what a piece writes,
    `ends_word` (bool [size]) whether it ends its word.
    """

    eos = EOS

    def __init__(self, tokenizer: Tokenizer) -> None:
        vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
        names = [name for name, _ in vocabulary]
        self._tokenizer = tokenizer
        self._model = tokenizer.model
        self.size = len(names)
        self.bytes_of = [_bytes_of(name) for name in names]
        ends = [name.endswith(END_OF_WORD) and name != EOS_NAME for name in names]
        self.ends_word: NDArray[np.bool_] = np.array(ends)
        self._names = names
        self._inner_model = BPE(*_inner(tokenizer))
        self._kept_word = lru_cache(maxsize=1 << 16)(self._encode_word)
        self.canonical_word = lru_cache(maxsize=1 << 16)(self._canonical_word)
        self.adjacent = lru_cache(maxsize=1 << 17)(self._adjacent)
        self.continuations = lru_cache(maxsize=4096)(self._continuations)
        self.leading_within = lru_cache(maxsize=64)(self._leading_within)

    @classmethod
    def from_merges(cls, order: Iterable[str], merges: Sequence[tuple[str, str]]) -> "Pieces":
        """A vocabulary from its pieces' names in order (after `<eos>`) and its merges by rank."""
        names: Mapping[str, int] = {name: i for i, name in enumerate([EOS_NAME, *order])}
        model = BPE(vocab=dict(names), merges=list(merges), end_of_word_suffix=END_OF_WORD)
        return cls(Tokenizer(model))

    @classmethod
    def from_json(cls, document: str) -> "Pieces":
        """A vocabulary from the text of a `tokenizer.json`."""
        return cls(Tokenizer.from_str(document))

    def to_json(self) -> str:
        """The text of a `tokenizer.json`, as the Hugging Face library reads it."""
        return str(self._tokenizer.to_str(pretty=False))

    def encode(self, text: str, field: str = "text") -> list[int]:
        """The canonical pieces of a text, without `<eos>`.

        Raises `InvalidInput` naming `field` for text that is not Unicode (lone surrogates).
        """
        return self.encode_words(words.split(normal_form.normalise(text, field)))

    def decode(self, pieces: Iterable[int]) -> str:
        """The words that pieces write, with a space after each piece that ends its word."""
        written = b"".join(
            self.bytes_of[piece] + (b" " if self.ends_word[piece] else b"") for piece in pieces
        )
        return written.decode("utf-8", errors="replace").rstrip(" ")

    def _canonical_word(self, pieces: tuple[int, ...]) -> str | None:
        """The one word that these pieces are the canonical segmentation of, or None.

        None for pieces that are no valid UTF-8, that do not write exactly one word in normal
        form, or that write it in another way than `encode` would.
        """
        try:
            word = b"".join(self.bytes_of[piece] for piece in pieces).decode("utf-8")
        except UnicodeDecodeError:
            return None
        if self.encode_word(word) != pieces or normal_form.normalise(word) != word:
            return None
        return word if words.split(word) == [word] else None

    def _continuations(self, prefix: bytes) -> NDArray[np.int64]:
        """Pieces that can come next when a word must still begin with `prefix`, ascending.

        They begin with the prefix, or are a beginning of it that does not end the word.
        """
        ordered, numbers = self._by_bytes
        first = bisect.bisect_left(ordered, prefix)
        after = first
        while after < len(ordered) and ordered[after].startswith(prefix):
            after += 1
        found = set(numbers[first:after])
        for length in range(1, len(prefix)):
            beginning = prefix[:length]
            place = bisect.bisect_left(ordered, beginning)
            while place < len(ordered) and ordered[place] == beginning:
                if not self.ends_word[numbers[place]]:
                    found.add(numbers[place])
                place += 1
        return np.array(sorted(found), dtype=np.int64)

    @cached_property
    def _by_bytes(self) -> tuple[list[bytes], list[int]]:
        numbers = sorted(range(1, self.size), key=lambda piece: self.bytes_of[piece])
        return [self.bytes_of[piece] for piece in numbers], numbers

    @cached_property
    def leading(self) -> NDArray[np.int64]:
        """How each piece begins, as a number: see `leading_number`."""
        return np.array([leading_number(written) for written in self.bytes_of])

    def _leading_within(self, first: int, after: int) -> NDArray[np.int64]:
        """How the pieces [first, after) begin, each number once."""
        return np.unique(self.leading[first:after])

    def encode_word(self, word: str) -> tuple[int, ...]:
        """The canonical pieces of one word in normal form; those of short words are kept."""
        short = len(word) <= _MAX_KEPT_CHARACTERS
        return self._kept_word(word) if short else self._encode_word(word)

    def encode_words(self, words: Sequence[str]) -> list[int]:
        """The canonical pieces of words in normal form, one word after the other."""
        if words and max(map(len, words)) > _MAX_KEPT_CHARACTERS:
            return list(chain.from_iterable(map(self.encode_word, words)))
        return list(chain.from_iterable(map(self._kept_word, words)))

    def encoding_each(self, words: Sequence[str]) -> Steps[list[tuple[int, ...]]]:
        """The canonical pieces of each word in normal form, in steps."""
        found: list[tuple[int, ...]] = []
        for part in batches(words, _WORDS_A_STEP):
            new = self._kept_word.cache_info().misses
            for word in part:
                found.append(self.encode_word(word))
                if len(word) > _MAX_KEPT_CHARACTERS:
                    yield _NEW_WORD_WORK + _CHARACTER_WORK * len(word)
            new = self._kept_word.cache_info().misses - new
            yield _NEW_WORD_WORK * new + len(part)
        return found

    def _encode_word(self, word: str) -> tuple[int, ...]:
        return tuple(token.id for token in self._model.tokenize(byte_level(word)))

    def _adjacent(self, first: int, second: int) -> bool:
        """Whether the second piece may follow the first inside a word.

        A sequence is canonical exactly when each two neighbours are the canonical segmentation
        of what they write together (Berglund and van der Merwe 2023, arXiv 2309.08715).
        """
        written = self._names[first] + self._names[second].removesuffix(END_OF_WORD)
        model = self._model if self.ends_word[second] else self._inner_model
        return [token.id for token in model.tokenize(written)] == [first, second]


def _inner(tokenizer: Tokenizer) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The vocabulary and merges, for a model that knows nothing of the ends of words."""
    state = json.loads(tokenizer.model.__getstate__())
    return tokenizer.get_vocab(), [(first, second) for first, second in state["merges"]]


def _bytes_of(name: str) -> bytes:
    if name == EOS_NAME:
        return b""
    return bytes(_BYTE_OF[character] for character in name.removesuffix(END_OF_WORD))
