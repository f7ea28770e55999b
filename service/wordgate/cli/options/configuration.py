"""The options of `wordgate serve`: flags, environment variables and the keys of a TOML file.

They are generated from the fields of `Configuration`. click takes each value from the first of
flag, variable, file and default that has it, and knows which one it was.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from wordgate.cli.command import SectionOption, place_of
from wordgate.errors import InvalidConfiguration, flag_of
from wordgate.server.config.options import Configuration
from wordgate.server.config.toml_file import read_options

_SECTIONS = {
    "model": "Models",
    "listen": "Listening",
    "tls_certificate": "Security",
    "device": "Processors and memory",
    "max_message_bytes": "Limits",
    "log_format": "Logs and traces",
}
"""Section headings of the help text, by the first option of each section."""

_TYPES: dict[type, click.ParamType[Any]] = {bool: click.BOOL}
"""click's types, where it needs to know them; `Configuration` converts and checks all others."""

_METAVARS: dict[type, str] = {int: "N", float: "N", str: "TEXT", Path: "PATH"}


class ServerOption(SectionOption):
    """An option of the server, which is also an environment variable."""

    def __init__(self, name: str, *declarations: str, **named: Any) -> None:
        variable = f"WORDGATE_{name.upper()}"
        super().__init__(
            [name, *declarations], envvar=variable, show_envvar=True, show_default=True, **named
        )

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the variable's value even if it is empty, which click would ignore."""
        value = os.environ.get(str(self.envvar))
        if value == "" and self.type is click.BOOL:
            raise click.BadParameter("is empty; set true or false", ctx, self, str(self.envvar))
        return value


def _read_file(ctx: click.Context, _option: click.Parameter, path: str | None) -> str | None:
    """Make the values of the configuration file the defaults of the other options."""
    if path == "":
        raise click.BadParameter("is empty; name a file")
    if path is not None:
        kinds = {name: _kind(field) for name, field in Configuration.model_fields.items()}
        ctx.default_map = read_options(Path(path), kinds)
    return path


FILE = ServerOption(
    "config",
    "--config",
    metavar="PATH",
    is_eager=True,
    callback=_read_file,
    help="TOML file with the options below. Read once, at start-up.",
)
"""The option that names the configuration file; the file itself cannot set it."""


def configuration_options() -> Iterator[ServerOption]:
    """Yield an option for each field of `Configuration`, in the order of their declaration."""
    section = ""
    for name, field in Configuration.model_fields.items():
        section = _SECTIONS.get(name, section)
        yield _option(name, field, section)


def configuration_of(ctx: click.Context) -> Configuration:
    """Return the configuration in a context of `wordgate serve`.

    Raises `InvalidConfiguration` with the flag, the variable, or the file and key.
    """
    try:
        return Configuration(**{name: ctx.params[name] for name in Configuration.model_fields})
    except InvalidConfiguration as error:
        name, problem = error.option, error.problem
    except ValidationError as error:
        name, problem = _explain(error)
    [option] = [each for each in ctx.command.params if each.name == name]
    raise InvalidConfiguration(name, problem, place_of(option, ctx))


def _option(name: str, field: FieldInfo, section: str) -> ServerOption:
    flag, kind, choices = flag_of(name), _kind(field), _choices(field)
    return ServerOption(
        name,
        f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
        section=section,
        metavar=None if choices else _METAVARS.get(kind),
        type=click.Choice(choices) if choices else _TYPES.get(kind, click.UNPROCESSED),
        default=field.default,
        help=field.description,
    )


def _choices(field: FieldInfo) -> Sequence[str]:
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def _kind(field: FieldInfo) -> type:
    if field.annotation in {bool, int, float}:
        return field.annotation  # type: ignore[return-value]
    return Path if field.default is None else str


def _explain(error: ValidationError) -> tuple[str, str]:
    """Return the option and the problem of the first error."""
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    problem = f"{message[:1].lower()}{message[1:]} (it is {first['input']!r})"
    return str(first["loc"][0]), problem
