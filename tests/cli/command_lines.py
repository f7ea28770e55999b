"""Find `wordgate` command lines in a text, and the options in them that do not exist."""

import re
import shlex
from collections.abc import Iterator

import click

from wordgate.cli.main import wordgate


def command_lines(text: str) -> Iterator[str]:
    """Yield the command lines of a text: whole lines of it, and code between backticks."""
    joined = text.replace("\\\n", " ")
    yield from re.findall(r"^ *(?:\$ )?(wordgate [^`\n]+)$", joined, re.MULTILINE)
    for code in re.findall(r"`(wordgate [^`]+)`", joined):
        yield " ".join(code.split())


def unknown_words(line: str) -> list[str]:
    """Return the commands and options of a command line that `wordgate` does not have."""
    _, *words = shlex.split(re.split(r" >>? ", line)[0], comments=True)
    command: click.Command = wordgate
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        inner = command.get_command(click.Context(command), name)
        if inner is None:
            return [name]
        command = inner
    named = words[: words.index("--")] if "--" in words else words
    parameters = command.get_params(click.Context(command))
    known = {name for each in parameters for name in (*each.opts, *each.secondary_opts)}
    options = [word.partition("=")[0] for word in named if word.startswith("--")]
    return [option for option in options if option not in known]
