"""The cache of tokenised text."""

from pathlib import Path

import numpy as np
import pytest

from wordgate.errors import InvalidFile, TrainingError
from wordgate.lm.tokenizer import Tokenizer
from wordgate.training.data import process_pool, token_cache
from wordgate.training.data.corpus import read_passages
from wordgate.training.data.passages import Rules
from wordgate.training.data.token_cache import Source, TokenFile

SENTENCES = Path(__file__).parents[2] / "data" / "sentences.txt"
RULES = Rules(held_out_share=0.1)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A tokenizer trained on the sentences."""
    cache = tmp_path_factory.mktemp("cache")
    return token_cache.learn_tokenizer([Source(SENTENCES)], RULES, 700, cache, _no_report)


def _no_report(text: str) -> None:
    pass


def _passages(file: TokenFile) -> list[list[int]]:
    return [file.passage(index).tolist() for index in range(len(file))]


def test_every_passage_is_kept_as_its_canonical_tokens(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """Training and held-out passages together are the file, in order, tokenised as by `encode`."""
    text = token_cache.tokenise([Source(SENTENCES)], RULES, tokenizer, tmp_path, _no_report)
    expected = [tokenizer.encode(passage) for passage in read_passages(SENTENCES)]
    train, held_out = _passages(text.train[0]), _passages(text.held_out[0])
    assert len(train) + len(held_out) == len(expected)
    assert [p for p in expected if p in train] == train
    assert [p for p in expected if p in held_out] == held_out
    assert text.train[0].tokens.dtype == np.uint16


def test_nothing_is_made_twice(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """A second call reads the cache and returns the same key."""
    said: list[str] = []
    sources = [Source(SENTENCES)]
    first = token_cache.tokenise(sources, RULES, tokenizer, tmp_path, said.append)
    assert len(said) == 1
    second = token_cache.tokenise(sources, RULES, tokenizer, tmp_path, said.append)
    assert len(said) == 1
    assert first.key == second.key
    token_cache.learn_tokenizer(sources, RULES, 700, tmp_path, said.append)
    made = len(said)
    again = token_cache.learn_tokenizer(sources, RULES, 700, tmp_path, said.append)
    assert len(said) == made
    assert again.to_json() == tokenizer.to_json()


def test_everything_that_matters_is_in_the_name(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Different text, rules, tokenizer or weights give different cache entries."""
    copy = tmp_path / "copy.txt"
    copy.write_bytes(SENTENCES.read_bytes())
    other_tokenizer = token_cache.learn_tokenizer([Source(copy)], RULES, 600, tmp_path, _no_report)

    def key(source: Source, rules: Rules = RULES, by: Tokenizer = tokenizer) -> str:
        return token_cache.tokenise([source], rules, by, tmp_path, _no_report).key

    first = key(Source(copy))
    assert first == key(Source(SENTENCES))
    others = [
        key(Source(copy, 2.0)),
        key(Source(copy), Rules(held_out_share=0.2)),
        key(Source(copy), Rules(0.1, excluded=("red box",))),
        key(Source(copy), by=other_tokenizer),
    ]
    copy.write_bytes(SENTENCES.read_bytes() + b"One more.\n")
    others.append(key(Source(copy)))
    assert len({first, *others}) == 6


def test_two_processes_give_what_one_gives(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes give the same word counts and tokens as one."""
    monkeypatch.setattr(token_cache, "_CHUNK_CHARACTERS", 2000)
    alone = token_cache.tokenise([Source(SENTENCES)], RULES, tokenizer, tmp_path / "1", _no_report)
    monkeypatch.setattr(process_pool, "_WORTH_IT_BYTES", 0)
    sources = [Source(SENTENCES)]
    both = token_cache.tokenise(sources, RULES, tokenizer, tmp_path / "2", _no_report)
    assert _passages(alone.train[0]) == _passages(both.train[0])
    assert _passages(alone.held_out[0]) == _passages(both.held_out[0])
    learned = token_cache.learn_tokenizer(sources, RULES, 700, tmp_path / "2", _no_report)
    assert learned.to_json() == tokenizer.to_json()


def test_a_file_that_breaks_off_leaves_nothing_behind(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """An error in the middle of a file leaves no partial entry in the cache."""
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"good line\n\xff\n")
    cache = tmp_path / "cache"
    with pytest.raises(InvalidFile):
        token_cache.tokenise([Source(bad)], RULES, tokenizer, cache, _no_report)
    assert list(cache.iterdir()) == []


def test_weights_count_words(tmp_path: Path) -> None:
    """A file's weight multiplies its word counts; held-out words are not counted."""
    common, rare = tmp_path / "common.txt", tmp_path / "rare.txt"
    common.write_text("abab\n" * 30)
    rare.write_text("cdcd\n" * 10)
    rules = Rules()

    def longest(weight: float) -> bytes:
        sources = [Source(common), Source(rare, weight)]
        found = token_cache.learn_tokenizer(sources, rules, 514, tmp_path / "cache", _no_report)
        return max(found.bytes_of, key=len)

    assert longest(1.0) == b"ab"
    assert longest(10.0) == b"cd"


def test_large_vocabularies_take_larger_numbers(tmp_path: Path) -> None:
    """Token numbers above 65,535 are stored without loss."""
    draft = tmp_path / "x"
    draft.mkdir()
    writer = token_cache._Writer(draft, "train", np.dtype(np.uint32))
    writer.add([70_000, 1, 2], [2, 1])
    writer.add([], [])
    writer.add([3], [1])
    writer.close()
    starts = np.fromfile(draft / "train.starts", np.uint64)
    file = TokenFile(np.fromfile(draft / "train.tokens", np.uint32), starts)
    assert _passages(file) == [[70_000, 1], [2], [3]]


def test_no_text_at_all_stops_the_training(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Files without any training passage are rejected."""
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    with pytest.raises(TrainingError, match="no training text"):
        token_cache.tokenise([Source(empty)], RULES, tokenizer, tmp_path / "cache", _no_report)
