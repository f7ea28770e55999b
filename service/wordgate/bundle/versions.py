"""Find the versions of models in folders `NAME/VERSION/`, without reading them.

Imports the standard library only, so that a supervisor finds models without the engine's memory.
"""

from collections.abc import Iterator
from pathlib import Path

MANIFEST_FILE = "bundle.json"


def find_versions(folder: Path) -> Iterator[Path]:
    """Yield the bundle folders at or below a folder (`VERSION`, `NAME/VERSION`), oldest first.

    A version is a folder whose name is an integer; other folders, such as drafts, are skipped.
    """
    if _is_there(folder / MANIFEST_FILE):
        yield folder
        return
    files = [*folder.glob(f"*/{MANIFEST_FILE}"), *folder.glob(f"*/*/{MANIFEST_FILE}")]
    versions = [file.parent for file in files if is_version(file.parent)]
    yield from sorted(versions, key=_version_order)


def is_version(path: Path) -> bool:
    """Return whether the folder's name is a version number."""
    return path.name.isascii() and path.name.isdecimal()


def _is_there(path: Path) -> bool:
    """Return whether this path exists. If it is not a file, loading rejects the bundle later."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    return True


def _version_order(path: Path) -> tuple[str, int]:
    return path.parent.name, int(path.name)
