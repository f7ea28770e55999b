"""The server's options in a TOML file.

Knows TOML, kinds of values and what is said of a file that is wrong; does not know what an option
means, nor what goes before the file.
"""

import difflib
import reprlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wordgate.errors import InvalidConfiguration, InvalidFile
from wordgate.text.input_files import read_input

_WRITTEN: dict[type, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "text in quotes"),
    Path: ((str,), "a path in quotes"),
}
"""How a value of each kind is read by tomllib, and what a person is told to write."""


def read_options(path: Path, kinds: Mapping[str, type]) -> dict[str, Any]:
    """What a file says, by the options' names; `kinds` are those that there are.

    A relative path is one from the folder of the file. Raises `InvalidFile` for what is no TOML
    file, `InvalidConfiguration` naming file and key for what cannot be an option's value.
    """
    document = _document(path)
    for key, value in document.items():
        if key not in kinds:
            raise InvalidConfiguration(key, _unknown(key, value, kinds), place(path, key))
    return {key: _value(path, key, value, kinds[key]) for key, value in document.items()}


def place(path: Path, key: str) -> str:
    """Where a key stands, as an error names it."""
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
        # Numbers of thousands of digits, thousands of brackets.
        raise InvalidFile(path, "is not TOML that can be read here") from None


def _value(path: Path, key: str, value: Any, kind: type) -> Any:
    types, wanted = _WRITTEN[kind]
    if type(value) not in types:  # true and false are whole numbers to Python
        shown = str(value).lower() if isinstance(value, bool) else reprlib.repr(value)
        raise InvalidConfiguration(key, f"write {wanted}, not {shown}", place(path, key))
    if isinstance(value, str) and "\0" in value:
        raise InvalidConfiguration(key, "holds a NUL character", place(path, key))
    return path.parent / value if kind is Path and value else value


def _unknown(key: str, value: Any, known: Mapping[str, type]) -> str:
    if isinstance(value, dict):
        return "is a section; the options of the server stand in none"
    near = difflib.get_close_matches(key.replace("-", "_").lower(), known, n=1)
    return f"is no option of the server{f'; did you mean {near[0]}?' if near else ''}"
