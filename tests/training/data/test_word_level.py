"""Running text of whole words."""

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer as HuggingFaceTokenizer

from wordgate.errors import InvalidFile, TrainingError
from wordgate.training.data import word_level
from wordgate.training.data.sequential_sampler import running_text
from wordgate.training.data.word_level import WordLevelTokenizer

LINES = " \n = The <unk> = \n \n the cat saw the Cat , the cat \n"


def _file(folder: Path, content: str = LINES, name: str = "wiki.train.tokens") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_words_are_numbered_by_frequency(tmp_path: Path) -> None:
    """`<eos>` is 0; other words follow by count and then alphabetically; case is kept."""
    tokenizer = word_level.learn([_file(tmp_path)], 1000)
    vocabulary = json.loads(tokenizer.to_json())["model"]["vocab"]
    ordered = ["<eos>", "the", "=", "cat", ",", "<unk>", "Cat", "The", "saw"]
    assert sorted(vocabulary, key=vocabulary.get) == ordered
    assert tokenizer.size == 9


def test_a_full_vocabulary_drops_the_rarest_words(tmp_path: Path) -> None:
    """Words beyond the limit are `<unk>`, which is numbered by how often it is read."""
    tokenizer = word_level.learn([_file(tmp_path)], 4)
    assert tokenizer.size == 4
    # `<unk>` 1, `cat` 2, `,` 1, `Cat` 1, `The` 1, `saw` 1: seven of the twelve words.
    assert tokenizer.encode("<unk> cat , Cat The saw dog") == [1] * 7
    assert tokenizer.encode("the = \t the") == [2, 3, 2]


def test_a_vocabulary_always_has_unk() -> None:
    """A text without `<unk>` still has a token for words of other texts."""
    tokenizer = WordLevelTokenizer.from_counts({"a": 2, "b": 1}, 1000)
    assert tokenizer.encode("b c a") == [2, 3, 1]


def test_each_line_ends_with_eos(tmp_path: Path) -> None:
    """As in WikiText-2 each line counts one more token than words, and so does an empty line."""
    path = _file(tmp_path)
    tokenizer = word_level.learn([path], 1000)
    lines = word_level.read_file(path, tokenizer)
    assert [len(lines.passage(index)) for index in range(len(lines))] == [0, 4, 0, 8]
    stream = running_text([lines], tokenizer.eos)
    assert len(stream) == 12 + 4
    assert np.flatnonzero(stream == tokenizer.eos).tolist() == [0, 5, 6, 15]


def test_the_document_is_read_by_the_library_and_by_us(tmp_path: Path) -> None:
    """The Hugging Face library encodes a line as we do, and so does the document read again."""
    tokenizer = word_level.learn([_file(tmp_path)], 1000)
    document = tokenizer.to_json()
    theirs = HuggingFaceTokenizer.from_str(document)
    line = " the  Cat\tflew , the cat "
    assert tokenizer.encode(line) == theirs.encode(line).ids
    again = WordLevelTokenizer.from_json(document)
    assert again.to_json() == document
    assert again.encode(line) == tokenizer.encode(line)


def test_the_key_names_the_content_of_all_files(tmp_path: Path) -> None:
    """A changed training or held-out file has another key, so a run does not resume with it."""
    train, held_out = _file(tmp_path), _file(tmp_path, "the dog\n", "wiki.valid.tokens")
    tokenizer = word_level.learn([train], 1000)
    first = word_level.read([train], held_out, tokenizer)
    assert first.key == word_level.read([train], held_out, tokenizer).key
    assert first.held_out[0].passage(0).tolist() == tokenizer.encode("the <unk>")
    assert word_level.read([train], None, tokenizer).held_out == []
    _file(tmp_path, "the cow\n", "wiki.valid.tokens")
    assert word_level.read([train], held_out, tokenizer).key != first.key


def test_a_text_without_words_is_refused(tmp_path: Path) -> None:
    """Neither blank lines nor a missing file make a vocabulary."""
    with pytest.raises(TrainingError, match="no words"):
        word_level.learn([_file(tmp_path, " \n\n")], 1000)
    with pytest.raises(InvalidFile, match=r"none\.txt: does not exist"):
        word_level.learn([tmp_path / "none.txt"], 1000)
