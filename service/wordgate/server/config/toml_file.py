"""Read the server's options from a TOML file and check their types."""

import difflib
import reprlib
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wordgate.bundle.newest_int8 import BUNDLED_NAMES
from wordgate.errors import InvalidConfiguration, InvalidFile
from wordgate.protocol.address import unix_path
from wordgate.text.input_files import read_input

_WRITTEN: dict[type, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
    str: ((str,), "text in quotes"),
    Path: ((str,), "a path in quotes"),
}
"""For each type of option: the types that tomllib returns, and the wording for error messages."""


def read_options(path: Path, kinds: Mapping[str, type]) -> dict[str, Any]:
    """Return the values in a TOML file by option name; `kinds` has the type of each known option.

    Relative paths are resolved against the folder of the file. Raises `InvalidFile` if the file is
    not TOML, and `InvalidConfiguration` with the file and key for an unknown key or a wrong type.
    """
    document = _document(path)
    for key, value in document.items():
        if key not in kinds:
            raise InvalidConfiguration(key, _unknown(key, value, kinds), _place(path, key))
    return {key: _value(path, key, value, kinds[key]) for key, value in document.items()}


def _place(path: Path, key: str) -> str:
    """Return the position of a key for error messages, as "FILE: KEY"."""
    return f"{path}: {key if key.isprintable() and key else repr(key)}"


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_input(path).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InvalidFile(
            path, f"is not UTF-8: byte 0x{error.object[error.start]:02x}", line
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidFile(path, f"is not TOML: {error}") from None
    except (ValueError, RecursionError):
        # For example a number of thousands of digits, or thousands of nested brackets.
        raise InvalidFile(path, "is not TOML: too long a number, or too deep nesting") from None


def _value(path: Path, key: str, value: Any, kind: type) -> Any:
    types, expected = _WRITTEN[kind]
    if type(value) not in types:  # bool is a subclass of int
        shown = str(value).lower() if isinstance(value, bool) else reprlib.repr(value)
        raise InvalidConfiguration(key, f"must be {expected}, not {shown}", _place(path, key))
    if isinstance(value, str) and "\0" in value:
        raise InvalidConfiguration(key, "contains a NUL character", _place(path, key))
    if (
        key == "model"
        and value.partition("@")[0] in BUNDLED_NAMES
        and not (path.parent / value).exists()
    ):
        return value
    return _from_folder(path.parent, value, kind)


def _from_folder(folder: Path, value: Any, kind: type) -> Any:
    """Resolve a relative path, or the path of a Unix socket, against the folder of the file."""
    if kind is Path and value:
        return folder / value
    if kind is str:
        with suppress(ValueError):
            socket_path = unix_path(value)
            return value if socket_path is None else f"unix:{folder / socket_path}"
    return value


def _unknown(key: str, value: Any, known: Mapping[str, type]) -> str:
    if isinstance(value, dict):
        return "is a section; write the options of the server at the top level"
    near = difflib.get_close_matches(key.replace("-", "_").lower(), known, n=1)
    return f"is not an option of the server{f'; did you mean {near[0]}?' if near else ''}"
