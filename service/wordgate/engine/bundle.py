"""A published model on disk, verified before anything of it is used.

Knows the folder and its checksums; does not know onnxruntime. A bundle is `NAME/VERSION/` with a
`bundle.json` that names every file. Reading one never runs code.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from wordgate.core.language import Language
from wordgate.core.levels import Levels
from wordgate.core.pieces import Pieces
from wordgate.engine.manifest import SCHEMA_VERSION, Manifest
from wordgate.errors import InvalidBundle

MANIFEST_FILE = "bundle.json"
TOKENIZER_FILE = "tokenizer.json"
WORDS_FILE = "words.tsv"
WEIGHTS_FILE = "weights.safetensors"
NEVER = "never"
WRITTEN = "written"


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: its folder, its manifest and what it knows of its language."""

    path: Path
    manifest: Manifest
    language: Language
    digest: bytes
    """sha256 of `bundle.json`, which holds the checksum of every other file."""


def load(path: Path) -> Bundle:
    """Read and verify a bundle.

    Raises `InvalidBundle` with a reason: `missing`, `schema`, `manifest`, `missing_file`,
    `foreign_file`, `checksum` or `content`.
    """
    document = _read_manifest_bytes(path)
    manifest = _parse(path, document)
    verify_files(path, manifest)
    return Bundle(path, manifest, _language(path, manifest), hashlib.sha256(document).digest())


def read_manifest(path: Path) -> Manifest:
    """What `bundle.json` says, nothing else being read. Raises `InvalidBundle`."""
    return _parse(path, _read_manifest_bytes(path))


def find_versions(folder: Path) -> Iterator[Path]:
    """Folders of bundles at or below a folder (`VERSION`, `NAME/VERSION`), oldest first.

    A version is a folder named by a whole number; others, drafts among them, are passed over.
    """
    if (folder / MANIFEST_FILE).is_file():
        yield folder
        return
    found = [*folder.glob(f"*/{MANIFEST_FILE}"), *folder.glob(f"*/*/{MANIFEST_FILE}")]
    versions = [file.parent for file in found if _is_version(file.parent)]
    yield from sorted(versions, key=_version_order)


def verify_files(path: Path, manifest: Manifest) -> None:
    """Raise `InvalidBundle` unless the folder holds what the manifest names and nothing else."""
    present = {
        file.relative_to(path).as_posix() for file in path.rglob("*") if not file.is_dir()
    } - {MANIFEST_FILE}
    for name, entry in manifest.files.items():
        if name not in present:
            if entry.optional:
                continue
            raise InvalidBundle(path, "missing_file", f"{name} is missing; copy the bundle again")
        if not (path / name).is_file():
            raise InvalidBundle(path, "content", f"{name} is no file; copy the bundle again")
        if file_sha256(path / name) != entry.sha256:
            problem = f"{name} is not the file that was published (sha256 differs)"
            raise InvalidBundle(path, "checksum", f"{problem}; copy the bundle again")
    foreign = sorted(present - set(manifest.files))
    if foreign:
        problem = f"{foreign[0]} is not named by {MANIFEST_FILE}; remove it"
        raise InvalidBundle(path, "foreign_file", problem)


def file_sha256(path: Path) -> str:
    """The checksum of a file as `bundle.json` writes it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_version(path: Path) -> bool:
    return path.name.isascii() and path.name.isdecimal()


def _version_order(path: Path) -> tuple[str, int]:
    return path.parent.name, int(path.name)


def _read_manifest_bytes(path: Path) -> bytes:
    try:
        return (path / MANIFEST_FILE).read_bytes()
    except OSError as error:
        problem = f"no readable {MANIFEST_FILE} here ({error.strerror}); name a bundle's folder"
        raise InvalidBundle(path, "missing", problem) from None


def _parse(path: Path, document: bytes) -> Manifest:
    try:
        values = json.loads(document)
        schema = values["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        problem = f"{MANIFEST_FILE} is no JSON object with a schema_version"
        raise InvalidBundle(path, "manifest", problem) from None
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        problem = f"{MANIFEST_FILE}: schema_version: {schema!r} is no whole number"
        raise InvalidBundle(path, "manifest", problem)
    if schema > SCHEMA_VERSION:
        problem = f"schema version {schema} is newer than {SCHEMA_VERSION}, the newest this"
        raise InvalidBundle(path, "schema", f"{problem} version of wordgate reads; upgrade it")
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        problem = f"{MANIFEST_FILE}: {place}: {first['msg']}"
        raise InvalidBundle(path, "manifest", problem) from None


def _language(path: Path, manifest: Manifest) -> Language:
    try:
        pieces = Pieces.from_json((path / TOKENIZER_FILE).read_text("utf-8"))
        written, never = read_words(path / WORDS_FILE)
    except InvalidBundle:
        raise
    except Exception as error:  # noqa: BLE001  the tokenizers library raises plain Exception
        problem = f"{TOKENIZER_FILE} or {WORDS_FILE} cannot be read: {error}"
        raise InvalidBundle(path, "content", problem) from None
    levels = Levels(manifest.network.cuts)
    if pieces.size != manifest.network.vocabulary or levels.vocabulary != pieces.size:
        problem = f"{TOKENIZER_FILE} has {pieces.size} pieces, the network {levels.vocabulary}"
        raise InvalidBundle(path, "content", problem)
    return Language(pieces, levels, written, never)


def read_words(path: Path) -> tuple[dict[str, str], frozenset[str]]:
    """Usual written forms, and words never suggested, of a `words.tsv`.

    A line is `written<TAB>word<TAB>form` or `never<TAB>word`. Raises `InvalidBundle` with the line.
    """
    written: dict[str, str] = {}
    never: set[str] = set()
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        match line.split("\t"):
            case [kind, word, form] if kind == WRITTEN:
                written[word] = form
            case [kind, word] if kind == NEVER:
                never.add(word)
            case _:
                problem = f"{WORDS_FILE}:{number}: not `written`, word, form or `never`, word"
                raise InvalidBundle(path.parent, "content", problem)
    return written, frozenset(never)
