"""Read and verify the files of a bundle.

Every file is opened and read once, and what is verified is what is loaded. Files may be replaced,
truncated or removed at any time, so no file is mapped into memory, opened twice or measured before
it is opened.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from wordgate.bundle.manifest import MAX_FILES, FileEntry, Manifest
from wordgate.bundle.versions import MANIFEST_FILE
from wordgate.errors import InvalidBundle

MAX_MANIFEST_BYTES = 1 << 20
TOKENIZER_FILE = "tokenizer.json"
WORDS_FILE = "words.tsv"
EMBEDDING_FILE = "embedding.bin"
STEP_FILE = "step.onnx"
_MAX_WORDS_BYTES = 1 << 24
_TOKENIZER_BYTES_PER_TOKEN = 256
_GRAPH_BYTES_PER_TOKEN = 64
_SPARED_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 18
_COPY_AGAIN = "copy the bundle again"


def output_file(level: int) -> str:
    """Return the file name of an output level's graph."""
    return f"output-{level}.onnx"


def read_manifest_bytes(path: Path) -> bytes:
    """Return the content of `bundle.json`. Raises `InvalidBundle`."""
    try:
        with _open_regular(path, MANIFEST_FILE) as file:
            document = file.read(MAX_MANIFEST_BYTES + 1) or b""  # None if a read would block
    except OSError as error:
        problem = f"{MANIFEST_FILE} cannot be read ({error.strerror}); name a bundle folder"
        reason = "missing" if isinstance(error, FileNotFoundError) else "unreadable"
        raise InvalidBundle(path, reason, problem) from None
    if len(document) > MAX_MANIFEST_BYTES:
        problem = f"{MANIFEST_FILE} is larger than {MAX_MANIFEST_BYTES} bytes"
        raise InvalidBundle(path, "manifest", problem)
    return document


def read_files(path: Path, manifest: Manifest) -> dict[str, bytes]:
    """Verify all files that the manifest lists; return the contents of those needed for serving.

    Raises `InvalidBundle` unless the folder contains exactly the files that the manifest lists.
    """
    _check_sizes(path, manifest)
    present = _present(path, manifest)
    needed = {TOKENIZER_FILE, WORDS_FILE, EMBEDDING_FILE, STEP_FILE}
    needed |= {output_file(level) for level in range(len(manifest.network.cutoffs))}
    contents = {}
    for name, entry in manifest.files.items():
        if name not in present:
            continue
        content = _verified(path, name, entry, name in needed)
        if content is not None:
            contents[name] = content
    return contents


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, as in `bundle.json`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _present(path: Path, manifest: Manifest) -> set[str]:
    """Return the names of the files present.

    Raises `InvalidBundle` for missing files and for files that the manifest does not list.
    """
    with _refusing_system_errors(path, "its folder"):
        present = set(islice(_names(path), MAX_FILES + 2))
    for name, entry in manifest.files.items():
        if name not in present and not entry.optional:
            raise InvalidBundle(path, "missing_file", f"{name} is missing; {_COPY_AGAIN}")
    foreign = sorted(present - set(manifest.files) - {MANIFEST_FILE})
    if foreign:
        problem = f"{foreign[0]!r} is not listed in {MANIFEST_FILE}; remove it"
        raise InvalidBundle(path, "foreign_file", problem)
    return present


def _names(path: Path) -> Iterator[str]:
    """Yield the names of a folder's entries; for a subfolder, that of one of its own entries."""
    with os.scandir(path) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield entry.name
                continue
            with os.scandir(entry.path) as inner:
                first = next(inner, None)
            if first is not None:
                yield f"{entry.name}/{first.name}"


def _check_sizes(path: Path, manifest: Manifest) -> None:
    """Raise `InvalidBundle` for files that are too large for the network, before reading them."""
    network = manifest.network
    sizes = {name: entry.bytes for name, entry in manifest.files.items()}
    graphs = sum(size for name, size in sizes.items() if _is_of_network(name))
    per_token = _GRAPH_BYTES_PER_TOKEN * network.vocabulary + _SPARED_BYTES
    most_of_tokenizer = _TOKENIZER_BYTES_PER_TOKEN * network.vocabulary + _SPARED_BYTES
    for what, size, most in (
        (WORDS_FILE, sizes.get(WORDS_FILE, 0), _MAX_WORDS_BYTES),
        (TOKENIZER_FILE, sizes.get(TOKENIZER_FILE, 0), most_of_tokenizer),
        ("all graphs", graphs, 8 * network.parameters + per_token),
    ):
        if size > most:
            problem = f"{what}: {size} bytes; a network of this size needs at most {most}"
            raise InvalidBundle(path, "content", problem)


def _is_of_network(name: str) -> bool:
    return name == EMBEDDING_FILE or name.endswith(".onnx")


def _verified(path: Path, name: str, entry: FileEntry, is_needed: bool) -> bytes | None:
    """Verify a file; return its content if it is needed. Raises `InvalidBundle` if it differs."""
    with _refusing_system_errors(path, name), _open_regular(path, name) as file:
        size = os.fstat(file.fileno()).st_size
        if size != entry.bytes:
            _refuse_other(path, name, f"{size} bytes, published with {entry.bytes}")
        content = file.read(entry.bytes + 1) if is_needed else None
        digest = hashlib.sha256(content or b"")
        left = 0 if is_needed else entry.bytes + 1
        while left > 0 and (chunk := file.read(min(_CHUNK_BYTES, left))):
            digest.update(chunk)
            left -= len(chunk)
    if digest.hexdigest() != entry.sha256:
        _refuse_other(path, name, "SHA-256 differs")
    return content


def _refuse_other(path: Path, name: str, difference: str) -> None:
    """Raise `InvalidBundle` for a file that differs from the published one."""
    problem = f"{name} differs from the published file ({difference}); {_COPY_AGAIN}"
    raise InvalidBundle(path, "checksum", problem)


def _open_regular(path: Path, name: str) -> BinaryIO:
    """Open a file without blocking, since opening a named pipe would wait for a writer.

    Raises `OSError`, and `InvalidBundle` unless it is a regular file.
    """
    number = os.open(path / name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise InvalidBundle(path, "content", f"{name} is not a regular file; {_COPY_AGAIN}")
    return os.fdopen(number, "rb")


@contextmanager
def _refusing_system_errors(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problem = f"{name} cannot be read: {error.strerror or type(error).__name__}"
        raise InvalidBundle(path, "unreadable", problem) from None
