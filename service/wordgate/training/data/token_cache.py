"""Cache of tokenised text in memory-mapped files.

Entries are named by a hash of all inputs, so stale entries are never read, and are written under a
temporary name first, so incomplete ones are not read either. Text is streamed and may be larger
than memory.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from wordgate.errors import TrainingError
from wordgate.lm.tokenizer import Tokenizer
from wordgate.training.data import bpe_training, corpus
from wordgate.training.data.passages import Passage, Rules, sort_passage
from wordgate.training.data.process_pool import Workers

_FORMAT = 2
_CHUNK_CHARACTERS = 1 << 20
_MAX_COUNTED_WORDS = 4_000_000
_TOKENS_PER_PART = 1 << 22
_DRAFT = "unfinished-"
_DRAFT_SECONDS = 24 * 3600
_UNIT = np.dtype(np.uint64)

Report = Callable[[str], None]
_TokenType = np.dtype[np.uint16] | np.dtype[np.uint32]
_Encoded = dict[str, tuple[list[int], list[int]]]
"""Tokens and passage lengths in tokens, of the training and the held-out passages."""


@dataclass(frozen=True)
class Source:
    """A text file and its sampling weight, relative to its size."""

    path: Path
    weight: float = 1.0


@dataclass(frozen=True)
class TokenFile:
    """Passages as tokens, without `<eos>`.

    Passage i is `tokens[starts[i]:starts[i + 1]]`; `starts` is uint64 [passages + 1].
    """

    tokens: NDArray[np.uint16] | NDArray[np.uint32]
    starts: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def passage(self, index: int) -> NDArray[np.int64]:
        """Return the tokens of one passage."""
        start, end = int(self.starts[index]), int(self.starts[index + 1])
        return self.tokens[start:end].astype(np.int64)

    def counts(self, vocabulary: int) -> NDArray[np.int64]:
        """Count the occurrences of each token, int64 [vocabulary]."""
        total = np.zeros(vocabulary, dtype=np.int64)
        for start in range(0, len(self.tokens), _TOKENS_PER_PART):
            part = self.tokens[start : start + _TOKENS_PER_PART]
            total += np.bincount(part, minlength=vocabulary)
        return total


class Vocabulary(Protocol):
    """The attributes of a tokenizer that training needs; see `lm.tokenizer.Tokenizer`."""

    size: int
    eos: int
    ends_word: NDArray[np.bool_]

    def to_json(self) -> str:
        """Return the text of a `tokenizer.json`."""


@dataclass(frozen=True)
class TokenisedText:
    """The tokenised files of a training run, in the order of its sources. `key` identifies them."""

    tokenizer: Vocabulary
    train: list[TokenFile]
    held_out: list[TokenFile]
    key: str


def learn_tokenizer(
    sources: Sequence[Source], rules: Rules, vocabulary: int, cache: Path, report: Report = print
) -> Tokenizer:
    """Train a tokenizer of at most `vocabulary` tokens on the training passages' weighted words."""
    names = [corpus.content_hash(source.path) for source in sources]
    weights = [source.weight for source in sources]
    path = cache / f"tokenizer-{_key('tokenizer', names, weights, vocabulary, asdict(rules))}.json"
    if not path.exists():
        weighted: dict[str, float] = {}
        counted = _word_counts([source.path for source in sources], names, rules, cache, report)
        for source, counts in zip(sources, counted, strict=True):
            for word, count in counts.items():
                weighted[word] = weighted.get(word, 0.0) + count * source.weight
        report(f"training a tokenizer: {vocabulary} tokens from {len(weighted)} distinct words")
        _write(path, bpe_training.train(weighted, vocabulary).to_json())
    return Tokenizer.from_json(path.read_text(encoding="utf-8"))


def tokenise(
    sources: Sequence[Source],
    rules: Rules,
    tokenizer: Tokenizer,
    cache: Path,
    report: Report = print,
) -> TokenisedText:
    """Tokenise all sources, or read them from the cache.

    Raises `InvalidFile` if a file cannot be read and `TrainingError` if there is no training text.
    """
    document = tokenizer.to_json()
    names = [
        _key("tokens", corpus.content_hash(source.path), document, asdict(rules))
        for source in sources
    ]
    folders = [cache / f"tokens-{name}" for name in names]
    missing = {
        folder: source.path
        for source, folder in zip(sources, folders, strict=True)
        if not folder.is_dir()
    }
    with Workers(partial(_encoder, rules, document), _size(missing.values())) as workers:
        for folder, path in missing.items():
            report(f"tokenising {path.name}")
            _write_tokens(workers.in_order(_chunks(path)), _unit(tokenizer), folder)
    train = [_open(folder, "train", tokenizer) for folder in folders]
    held_out = [_open(folder, "held-out", tokenizer) for folder in folders]
    if not any(len(file) for file in train):
        raise TrainingError("no training text: every passage is empty, held out or excluded")
    weights = [source.weight for source in sources]
    return TokenisedText(tokenizer, train, held_out, _key("text", names, weights))


def _key(*parts: object) -> str:
    document = json.dumps([_FORMAT, *parts], sort_keys=True)
    return hashlib.blake2b(document.encode(), digest_size=16).hexdigest()


def _word_counts(
    paths: Sequence[Path], names: Sequence[str], rules: Rules, cache: Path, report: Report
) -> Iterator[dict[str, int]]:
    """Yield the word counts of each file's training passages, cached or newly counted."""
    count_files = [cache / f"words-{_key('words', name, asdict(rules))}.json" for name in names]
    missing = [path for path, counts in zip(paths, count_files, strict=True) if not counts.exists()]
    with Workers(partial(_counter, rules), _size(missing)) as workers:
        for path, counts in zip(paths, count_files, strict=True):
            if not counts.exists():
                report(f"counting words in {path.name}")
                total = _sum(workers.in_order(_chunks(path)))
                _write(counts, json.dumps(total, ensure_ascii=False))
            yield json.loads(counts.read_text(encoding="utf-8"))


def _sum(parts: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counts in parts:
        total.update(counts)
        if len(total) > _MAX_COUNTED_WORDS:
            total = Counter({word: count for word, count in total.items() if count > 1})
    return total


def _size(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _chunks(path: Path) -> Iterator[list[str]]:
    chunk: list[str] = []
    characters = 0
    for text in corpus.read_passages(path):
        chunk.append(text)
        characters += len(text)
        if characters >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _sorted(texts: list[str], rules: Rules) -> Iterator[Passage]:
    return chain.from_iterable(sort_passage(text, rules) for text in texts)


def _counter(rules: Rules) -> Callable[[list[str]], Counter[str]]:
    def count(texts: list[str]) -> Counter[str]:
        counts: Counter[str] = Counter()
        for passage in _sorted(texts, rules):
            if not passage.is_held_out:
                counts.update(passage.words)
        return counts

    return count


def _encoder(rules: Rules, document: str) -> Callable[[list[str]], _Encoded]:
    encode_word = Tokenizer.from_json(document).encode_word

    def encode(texts: list[str]) -> _Encoded:
        encoded: _Encoded = {"train": ([], []), "held-out": ([], [])}
        for passage in _sorted(texts, rules):
            numbers, lengths = encoded["held-out" if passage.is_held_out else "train"]
            before = len(numbers)
            for word in passage.words:
                numbers.extend(encode_word(word))
            lengths.append(len(numbers) - before)
        return encoded

    return encode


def _unit(tokenizer: Tokenizer) -> _TokenType:
    return np.dtype(np.uint16) if tokenizer.size <= 1 << 16 else np.dtype(np.uint32)


def _write_tokens(parts: Iterable[_Encoded], unit: _TokenType, target: Path) -> None:
    """Write the tokens of a file to a temporary folder and rename it when complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _drop_old_drafts(target.parent)
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=target.parent))
    try:
        writers = {kind: _Writer(draft, kind, unit) for kind in ("train", "held-out")}
        for part in parts:
            for kind, (numbers, lengths) in part.items():
                writers[kind].add(numbers, lengths)
        for writer in writers.values():
            writer.close()
        if not target.is_dir():
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _drop_old_drafts(cache: Path) -> None:
    """Remove drafts of killed processes. Recent drafts may still be in progress."""
    for draft in cache.glob(f"{_DRAFT}*"):
        if draft.is_dir() and time.time() - draft.stat().st_mtime > _DRAFT_SECONDS:
            shutil.rmtree(draft, ignore_errors=True)


class _Writer:
    """Appends passages to a file of tokens and a file of start offsets."""

    def __init__(self, folder: Path, kind: str, unit: _TokenType) -> None:
        self._unit = unit
        self._tokens: BinaryIO = (folder / f"{kind}.tokens").open("wb")
        self._starts: BinaryIO = (folder / f"{kind}.starts").open("wb")
        self._end = 0
        self._starts.write(np.zeros(1, _UNIT).tobytes())

    def add(self, numbers: list[int], lengths: list[int]) -> None:
        ends = self._end + np.cumsum(lengths, dtype=np.uint64)
        self._tokens.write(np.array(numbers, self._unit).tobytes())
        self._starts.write(ends.astype(_UNIT).tobytes())
        self._end += len(numbers)

    def close(self) -> None:
        for file in (self._tokens, self._starts):
            file.flush()
            os.fsync(file.fileno())
            file.close()


def _open(folder: Path, kind: str, tokenizer: Tokenizer) -> TokenFile:
    path = folder / f"{kind}.tokens"
    unit = _unit(tokenizer)
    # An empty file cannot be mapped.
    numbers = np.memmap(path, unit, "r") if path.stat().st_size else np.zeros(0, unit)
    return TokenFile(numbers, np.memmap(folder / f"{kind}.starts", _UNIT, "r"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{_DRAFT}{os.getpid()}-{path.name}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
