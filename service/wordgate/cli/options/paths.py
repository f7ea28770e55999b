"""Option types for files and folders that must exist, and for files to write."""

import os
from pathlib import Path
from typing import Any

import click

from wordgate.errors import InvalidFile


class _Existing(click.Path):
    """A path that is checked during option parsing, before a model is loaded."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path. Raises `InvalidFile` if it does not exist or is of the wrong kind."""
        if value == "":
            self.fail("is empty; name a path", param, ctx)
        path = Path(value)
        if self.allow_dash and value == "-":
            return path
        if not path.exists():
            raise InvalidFile(path, "does not exist")
        if path.is_dir() and not self.dir_okay:
            raise InvalidFile(path, "is a folder; name a file")
        if not path.is_dir() and not self.file_okay:
            raise InvalidFile(path, "is a file; name a folder")
        return path


class _Writable(click.Path):
    """A file to write, which is checked during option parsing, before any work."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path. Raises `InvalidFile` if it cannot be written."""
        if value == "":
            self.fail("is empty; name a file", param, ctx)
        path = Path(value)
        if path.is_dir():
            raise InvalidFile(path, "is a folder; name a file")
        if not path.parent.is_dir():
            raise InvalidFile(path.parent, "does not exist; create the folder first")
        written = path if path.exists() else path.parent
        if not os.access(path.parent, os.W_OK) or not os.access(written, os.W_OK):
            raise InvalidFile(path, "cannot be written; choose another folder")
        return path


STANDARD_INPUT = Path("-")
FOLDER = click.Path(file_okay=False, path_type=Path)
"""A folder that need not exist."""

OUTPUT_FILE = _Writable()
INPUT_FILE = _Existing(dir_okay=False)
INPUT_FILE_OR_DASH = _Existing(dir_okay=False, allow_dash=True)
INPUT_PATH = _Existing()
INPUT_PATH_OR_DASH = _Existing(allow_dash=True)
