"""Running text of whole words, as WikiText-2: its vocabulary, its tokens, and reading it.

Tokens are the words between white space, as they are written. Words outside the vocabulary are
`<unk>`, and every line, also an empty one, ends with `<eos>`. Nothing is normalised, masked or
cached. Merity et al. 2016, "Pointer sentinel mixture models", arXiv 1609.07843.
"""

import json
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from wordgate.errors import TrainingError
from wordgate.lm.tokenizer import EOS, EOS_NAME
from wordgate.offline.lines import read_lines
from wordgate.training.data import corpus
from wordgate.training.data.token_cache import TokenFile, TokenisedText

UNKNOWN = "<unk>"


class WordLevelTokenizer:
    """A vocabulary of whole words: `<eos>` is token 0, the ids of the others descend in frequency.

    `size` is the number of tokens. `ends_word` is true for each of them: in published perplexities
    `<eos>` counts as a word.
    """

    eos = EOS

    def __init__(self, words: Sequence[str]) -> None:
        """`words` is ordered by token id, `<eos>` first, and includes `<unk>`."""
        self._numbers = {word: number for number, word in enumerate(words)}
        self._unknown = self._numbers[UNKNOWN]
        self.size = len(self._numbers)
        self.ends_word: NDArray[np.bool_] = np.ones(self.size, dtype=bool)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], vocabulary: int) -> "WordLevelTokenizer":
        """Build a tokenizer of the most frequent words, at most `vocabulary` tokens."""
        words = {word: n for word, n in counts.items() if word not in (EOS_NAME, UNKNOWN)}
        kept = dict(_by_frequency(words)[: vocabulary - 2])
        kept[UNKNOWN] = counts.get(UNKNOWN, 0) + sum(words.values()) - sum(kept.values())
        return cls([EOS_NAME, *(word for word, _ in _by_frequency(kept))])

    @classmethod
    def from_json(cls, document: str) -> "WordLevelTokenizer":
        """Build a tokenizer from the text that `to_json` wrote."""
        numbers: dict[str, int] = json.loads(document)["model"]["vocab"]
        return cls(sorted(numbers, key=lambda word: numbers[word]))

    def to_json(self) -> str:
        """Return the text of a `tokenizer.json` for the Hugging Face library."""
        tokenizer = HuggingFaceTokenizer(WordLevel(vocab=self._numbers, unk_token=UNKNOWN))
        tokenizer.pre_tokenizer = WhitespaceSplit()
        return str(tokenizer.to_str(pretty=False))

    def encode(self, line: str) -> list[int]:
        """Return the tokens of a line, without `<eos>`."""
        return [self._numbers.get(word, self._unknown) for word in line.split()]


def learn(paths: Sequence[Path], vocabulary: int) -> WordLevelTokenizer:
    """Build a tokenizer of the words of all files. Raises `TrainingError` if there are none."""
    counts: Counter[str] = Counter()
    for path in paths:
        for _, line in read_lines(path):
            counts.update(line.split())
    if not counts:
        raise TrainingError("the text has no words to learn a tokenizer from")
    return WordLevelTokenizer.from_counts(counts, vocabulary)


def read(
    paths: Sequence[Path], held_out: Path | None, tokenizer: WordLevelTokenizer
) -> TokenisedText:
    """Read the files of a training run. A line is a passage.

    Raises `InvalidFile` if a file cannot be read.
    """
    others = [held_out] if held_out else []
    return TokenisedText(
        tokenizer,
        [read_file(path, tokenizer) for path in paths],
        [read_file(path, tokenizer) for path in others],
        " ".join(corpus.content_hash(path) for path in [*paths, *others]),
    )


def read_file(path: Path, tokenizer: WordLevelTokenizer) -> TokenFile:
    """Read the lines of a file as tokens. Raises `InvalidFile`."""
    numbers, starts = array("I"), array("Q", [0])
    for _, line in read_lines(path):
        numbers.extend(tokenizer.encode(line))
        starts.append(len(numbers))
    return TokenFile(np.array(numbers, np.uint32), np.array(starts, np.uint64))


def _by_frequency(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
