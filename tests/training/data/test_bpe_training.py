"""Training the BPE tokenizer."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bundles import TEXT
from tests.training.small_run import SENTENCES

import wordgate
from wordgate.errors import TrainingError
from wordgate.lm.tokenizer import EOS, Tokenizer
from wordgate.text import words
from wordgate.text.normalization import normalise
from wordgate.training.data.bpe_training import train

_ELSEWHERE = """
import sys
from hashlib import sha256
from wordgate.training.data.bpe_training import train
words = "the clouds are in sky and keys to cabinet on table we were there all day long".split()
sys.stdout.write(sha256(train(dict.fromkeys(words, 1.0), 600).to_json().encode()).hexdigest())
"""


def counts(text: str) -> Counter[str]:
    """Count the words of a text."""
    return Counter(words.split(normalise(text)))


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    """A tokenizer of 700 tokens trained on the sentences."""
    return train(counts(SENTENCES.read_text("utf-8")), 700)


@pytest.mark.parametrize("vocabulary", [513, 600, 900])
def test_all_bytes_are_there_with_and_without_the_suffix(vocabulary: int) -> None:
    """All 256 bytes are in the vocabulary with and without the suffix, whatever the text."""
    tokenizer = train(counts("the café is in the sea"), vocabulary)
    single = Counter(
        (written, bool(tokenizer.ends_word[token]))
        for token, written in enumerate(tokenizer.bytes_of)
        if len(written) == 1
    )
    expected = {(bytes([byte]), ends): 1 for byte in range(256) for ends in (False, True)}
    assert single == expected
    assert 513 <= tokenizer.size <= vocabulary
    assert tokenizer.bytes_of[EOS] == b""


def test_the_vocabulary_is_as_large_as_wanted(trained: Tokenizer) -> None:
    """With enough text the vocabulary has the requested number of distinct tokens."""
    assert trained.size == 700
    named = zip(trained.bytes_of, trained.ends_word.tolist(), strict=True)
    assert len(set(named)) == 700


def test_tokens_are_numbered_by_falling_frequency(trained: Tokenizer) -> None:
    """The most frequent token in the counted words is number 1, and so on."""
    running: Counter[int] = Counter()
    for word, count in counts(SENTENCES.read_text("utf-8")).items():
        for token in trained.encode_word(word):
            running[token] += count
    frequencies = [running[token] for token in range(1, trained.size)]
    assert frequencies == sorted(frequencies, reverse=True)
    assert frequencies[0] > frequencies[100] > 0


def test_frequent_words_are_one_token(trained: Tokenizer) -> None:
    """Frequent words are single tokens."""
    common = counts(SENTENCES.read_text("utf-8")).most_common(20)
    assert all(len(trained.encode_word(word)) == 1 for word, _ in common)


def test_weights_decide_what_is_learned() -> None:
    """The word with the larger weight becomes a token."""
    for heavy, light in (("sky", "dog"), ("dog", "sky")):
        tokenizer = train({heavy: 1000.5, light: 1.0}, 515)
        assert len(tokenizer.encode_word(heavy)) == 1
        assert len(tokenizer.encode_word(light)) == 3


def test_the_same_words_give_the_same_tokens_in_every_process() -> None:
    """Ties between equally frequent merges are broken deterministically."""
    service = str(Path(wordgate.__file__).parents[1])
    found = {
        subprocess.run(
            [sys.executable, "-c", _ELSEWHERE],
            env=os.environ | {"PYTHONPATH": service},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(3)
    }
    assert len(found) == 1
    assert len({train(counts(TEXT), 600).to_json() for _ in range(5)}) == 1


@settings(deadline=None)
@given(st.dictionaries(st.text("abé<>/w'", min_size=1, max_size=6), st.integers(1, 50), min_size=1))
def test_any_words_can_be_learned(drawn: dict[str, int]) -> None:
    """Any word can be encoded and decoded without loss."""
    tokenizer = train(drawn, 560)
    for word in drawn:
        found = tokenizer.encode_word(word)
        assert b"".join(tokenizer.bytes_of[token] for token in found).decode() == word
        assert np.flatnonzero(tokenizer.ends_word[list(found)]).tolist() == [len(found) - 1]


@pytest.mark.parametrize(
    ("word_counts", "vocabulary", "problem"),
    [
        ({"a": 1.0}, 512, "tokenizer.vocabulary is 512; the minimum is 513"),
        ({}, 600, "no words"),
        ({"a": 0.0}, 600, "no words"),
    ],
    ids=["small", "empty", "nothing"],
)
def test_what_cannot_be_learned_is_refused(
    word_counts: dict[str, float], vocabulary: int, problem: str
) -> None:
    """A vocabulary too small for the bytes, or a text without words, is an error."""
    with pytest.raises(TrainingError, match=problem):
        train(word_counts, vocabulary)
