"""Train a byte-pair encoding (BPE) tokenizer from word counts.

The `tokenizers` library learns the merges. The vocabulary is built here, because the library omits
bytes that it did not see and numbers tokens in order of creation, not by frequency.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.trainers import BpeTrainer

from wordgate.errors import TrainingError
from wordgate.lm.tokenizer import BYTE_CHARACTERS, END_OF_WORD, Tokenizer, byte_level

_MAX_RUNNING_WORDS = 12_000_000
_BASE = 1 + 2 * 256
_WORDS_PER_LINE = 1000
_LAST_BYTES = [character + END_OF_WORD for character in BYTE_CHARACTERS]


def train(word_counts: Mapping[str, float], vocabulary: int) -> Tokenizer:
    """Train a byte-pair encoding from (weighted) counts of words in normal form.

    The vocabulary has at most `vocabulary` tokens: `<eos>`, 256 bytes with and without the
    end-of-word suffix, and the merges, numbered by falling frequency in `word_counts`. Raises
    `TrainingError` if the vocabulary has no room for the bytes or there are no words.
    """
    if vocabulary < _BASE:
        raise TrainingError(f"tokenizer.vocabulary is {vocabulary}; the minimum is {_BASE}")
    if not any(word_counts.values()):
        raise TrainingError("the text has no words to learn a tokenizer from")
    merges = _learn_merges(word_counts, vocabulary - _BASE)
    names = [*BYTE_CHARACTERS, *_LAST_BYTES]
    names += [first + second for first, second in merges]
    names = list(dict.fromkeys(names))
    frequencies = _frequencies(Tokenizer.from_merges(names, merges), word_counts)
    order = sorted(range(len(names)), key=lambda index: (-frequencies[index + 1], names[index]))
    return Tokenizer.from_merges([names[index] for index in order], merges)


def _learn_merges(word_counts: Mapping[str, float], limit: int) -> list[tuple[str, str]]:
    # Register the suffixed bytes first. Otherwise the library numbers them in hash-table order and
    # breaks ties between equally frequent merges by these numbers, which is not deterministic:
    # https://github.com/huggingface/tokenizers/issues/903
    learner = HuggingFaceTokenizer(BPE(end_of_word_suffix=END_OF_WORD))
    learner.pre_tokenizer = WhitespaceSplit()
    trainer = BpeTrainer(
        vocab_size=limit + _BASE,
        initial_alphabet=BYTE_CHARACTERS,
        special_tokens=_LAST_BYTES,
        end_of_word_suffix=END_OF_WORD,
        show_progress=False,
    )
    learner.train_from_iterator(_lines(word_counts), trainer)
    state = json.loads(learner.model.__getstate__())
    return [(first, second) for first, second in state["merges"]][:limit]


def _lines(word_counts: Mapping[str, float]) -> Iterator[str]:
    """Yield lines that repeat each word by its count, scaled down for large texts."""
    scale = min(1.0, _MAX_RUNNING_WORDS / sum(word_counts.values()))
    for word, count in word_counts.items():
        repeats = round(count * scale)
        written = byte_level(word)
        while repeats > 0:
            part = min(repeats, _WORDS_PER_LINE)
            yield " ".join([written] * part)
            repeats -= part


def _frequencies(tokenizer: Tokenizer, word_counts: Mapping[str, float]) -> Counter[int]:
    frequencies: Counter[int] = Counter()
    for word, count in word_counts.items():
        for token in tokenizer.encode_word(word):
            frequencies[token] += count  # type: ignore[assignment]
    return frequencies
