"""Load and verify a bundle, which is a published model on disk.

A bundle is a folder `NAME/VERSION/` with a `bundle.json` that lists every file with its checksum.
Loading one never runs code from it.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from wordgate.bundle.bundle_files import (
    TOKENIZER_FILE,
    WORDS_FILE,
    file_sha256,
    read_files,
    read_manifest_bytes,
)
from wordgate.bundle.manifest import SCHEMA_VERSION, Manifest, check_values
from wordgate.bundle.versions import MANIFEST_FILE, is_version
from wordgate.errors import InvalidBundle, InvalidConfiguration
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.masks import Masks
from wordgate.lm.model_version import ModelVersion
from wordgate.lm.seen_words import SeenWords
from wordgate.lm.tokenizer import Tokenizer
from wordgate.text.inflections import with_inflections

__all__ = ["MANIFEST_FILE", "TOKENIZER_FILE", "WORDS_FILE", "file_sha256"]

WEIGHTS_FILE = "weights.safetensors"
_MAX_LINE_CHARACTERS = 1000
_SEEN_LINE_CHARACTERS = 600
_MAX_PROBLEM_CHARACTERS = 500


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: its folder, manifest and lexicon."""

    path: Path
    manifest: Manifest
    language: Lexicon
    digest: bytes
    """SHA-256 of `bundle.json`, which holds the checksum of every other file."""

    contents: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    """Verified file contents by name; released once the graphs are loaded from them."""

    def without_contents(self) -> "Bundle":
        """Return a copy without file contents, for use once the graphs are loaded."""
        return replace(self, contents={})


def load(path: Path) -> Bundle:
    """Read and verify a bundle.

    Raises `InvalidBundle` with one of the reasons `missing`, `unreadable`, `schema`, `manifest`,
    `name`, `missing_file`, `foreign_file`, `checksum` or `content`.
    """
    document = read_manifest_bytes(path)
    manifest = _parse(path, document)
    _check_name(path, manifest)
    contents = read_files(path, manifest)
    language = _language(path, manifest, contents)
    return Bundle(path, manifest, language, hashlib.sha256(document).digest(), contents)


def read_manifest(path: Path) -> Manifest:
    """Read `bundle.json` only. Raises `InvalidBundle`."""
    manifest = _parse(path, read_manifest_bytes(path))
    _check_name(path, manifest)
    return manifest


@contextmanager
def refusing(path: Path, problem: str) -> Iterator[None]:
    """Convert any error that a library raises for a bundle's content to `InvalidBundle`.

    A panic of the tokenizers library is not a subclass of `Exception`; the library also prints it
    to standard error.
    """
    try:
        yield
    except (InvalidBundle, InvalidConfiguration):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        what = str(error) or type(error).__name__
        raise InvalidBundle(path, "content", one_line(f"{problem}: {what}")) from None


def one_line(text: str) -> str:
    """Return untrusted text as one printable line of bounded length, for logs and terminals."""
    shown = text[:_MAX_PROBLEM_CHARACTERS]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(shown.split()))
    return shown if len(text) <= _MAX_PROBLEM_CHARACTERS else f"{shown} …"


def _check_name(path: Path, manifest: Manifest) -> None:
    """Raise `InvalidBundle` if the folder `NAME/VERSION` contradicts the manifest.

    Folders whose name is not an integer (drafts, copies, downloads) are not checked.
    """
    folder = Path(os.path.abspath(path))  # noqa: PTH100  resolves `..` but not symbolic links
    if not is_version(folder):
        return
    stated, actual = f"{manifest.name}/{manifest.version}", f"{folder.parent.name}/{folder.name}"
    if stated != actual:
        problem = (
            f"contains {manifest.name}@{manifest.version}, but its folder is named {actual}; "
            f"rename it to {stated}"
        )
        raise InvalidBundle(path, "name", one_line(problem))


def _parse(path: Path, document: bytes) -> Manifest:
    try:
        values = json.loads(document)
        schema = values["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        problem = f"{MANIFEST_FILE} is not a JSON object with a schema_version"
        raise InvalidBundle(path, "manifest", problem) from None
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        problem = one_line(f"{MANIFEST_FILE}: schema_version: {schema!r} is not a positive integer")
        raise InvalidBundle(path, "manifest", problem)
    if schema > SCHEMA_VERSION:
        problem = f"schema version {schema} is newer than {SCHEMA_VERSION}, the latest supported"
        raise InvalidBundle(path, "schema", f"{problem}; upgrade wordgate")
    try:
        check_values(values)
        return Manifest.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        problem = f"{key}: {what}" if key else what
    except (ValueError, RecursionError) as error:
        problem = str(error)
    raise InvalidBundle(path, "manifest", one_line(f"{MANIFEST_FILE}: {problem}"))


def _language(path: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> Lexicon:
    network = manifest.network
    for name in (TOKENIZER_FILE, WORDS_FILE):
        if name not in contents:
            problem = f"{name} is not listed in {MANIFEST_FILE}; export the model again"
            raise InvalidBundle(path, "content", problem)
    with refusing(path, f"{TOKENIZER_FILE} cannot be read"):
        tokenizer = Tokenizer.from_json(contents[TOKENIZER_FILE].decode("utf-8"))
    with refusing(path, f"{WORDS_FILE} cannot be read"):
        known = parse_words(contents[WORDS_FILE].decode("utf-8"), path)
    levels = AdaptiveSoftmaxLayout(network.cutoffs)
    if tokenizer.size != network.vocabulary or levels.vocabulary != tokenizer.size:
        problem = f"{TOKENIZER_FILE} has {tokenizer.size} tokens, the network {levels.vocabulary}"
        raise InvalidBundle(path, "content", problem)
    return Lexicon(
        tokenizer,
        levels,
        known.written,
        with_inflections(known.never, manifest.language),
        SeenWords(known.seen) if known.seen else None,
        Masks(known.masks),
        known.suspect,
        ModelVersion(manifest.name, str(manifest.version), manifest.precision),
    )


@dataclass(frozen=True)
class KnownWords:
    """The contents of a `words.tsv`, in normal form.

    - `written`: the usual cased form of a word.
    - `never`: words that are never suggested.
    - `seen`: the training vocabulary.
    - `masks`: the words of each mask of the training text.
    - `suspect`: words of the training vocabulary that may be misspelled.
    """

    written: Mapping[str, str]
    never: frozenset[str]
    seen: frozenset[str] = frozenset()
    masks: tuple[tuple[str, ...], ...] = ()
    suspect: frozenset[str] = frozenset()


def read_words(path: Path) -> KnownWords:
    """Read and parse a `words.tsv` file (see `parse_words`)."""
    return parse_words(path.read_text("utf-8"), path.parent)


def parse_words(document: str, path: Path) -> KnownWords:
    """Parse the text of `words.tsv`; `path` is the bundle, for error messages.

    A line is `written<TAB>word<TAB>form`, `never<TAB>word`, `seen<TAB>words`, `suspect<TAB>words`
    or `mask<TAB>words`, with single spaces between words and at most 1,000 characters. Raises
    `InvalidBundle` with the line number.
    """
    written: dict[str, str] = {}
    never: set[str] = set()
    seen: set[str] = set()
    suspect: set[str] = set()
    masks: list[tuple[str, ...]] = []
    for number, line in enumerate(document.splitlines(), 1):
        match line.split("\t") if len(line) <= _MAX_LINE_CHARACTERS else ():
            case ["written", word, form]:
                written[word] = form
            case ["never", word]:
                never.add(word)
            case ["seen", text] if text.strip():
                seen.update(text.split())
            case ["suspect", text] if text.strip():
                suspect.update(text.split())
            case ["mask", text] if text.strip():
                masks.append(tuple(text.split()))
            case _:
                problem = f"{WORDS_FILE}:{number}: invalid line; expected `written` with word and"
                raise InvalidBundle(
                    path, "content", f"{problem} form, or `never`, `seen`, `suspect` or `mask`"
                )
    return KnownWords(written, frozenset(never), frozenset(seen), tuple(masks), frozenset(suspect))


def words_document(known: KnownWords) -> str:
    """Return the text of a `words.tsv` with these contents."""
    lines = [f"written\t{word}\t{form}" for word, form in sorted(known.written.items())]
    lines += [f"never\t{word}" for word in sorted(known.never)]
    lines += [f"mask\t{' '.join(mask)}" for mask in known.masks]
    lines += [f"seen\t{line}" for line in _filled(sorted(known.seen))]
    lines += [f"suspect\t{line}" for line in _filled(sorted(known.suspect))]
    return "".join(f"{line}\n" for line in lines)


def _filled(words: Iterable[str]) -> Iterator[str]:
    """Pack words into lines with single spaces; one word per line takes 50 % more space."""
    line = ""
    for word in words:
        if line and len(line) + len(word) >= _SEEN_LINE_CHARACTERS:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
    if line:
        yield line
