"""Base class of all commands: help in sections without truncation, errors that name flags.

Use it as `@click.command(cls=Command)` and `@click.group(cls=Group)`.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from reprlib import Repr
from typing import Any

import click
from click.core import ParameterSource

from wordgate.errors import InvalidConfiguration, InvalidInput

_ALIASES = {"blocked_words": "block", "boosted_words": "boost"}
"""API fields whose flags have a different name."""

_GROUP = re.compile(r"^(options|score_weights|search)\.")
"""Messages of the API whose fields are flags."""

_NUMBER = re.compile(r"\b(INTEGER|FLOAT)( RANGE)?$")
_SHORT = Repr()
_SHORT.maxstring = 80
_INDEXED = re.compile(r"(\w+)\[([^\]]*)\]")
_FIELD_NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")


class SectionOption(click.Option):
    """An option listed under a section heading in the help text."""

    def __init__(self, *arguments: Any, section: str = "Options", **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.section = section


class _Described(click.Command):
    """Help formatting and error reporting shared by commands and groups."""

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the whole first paragraph, which the list of commands wraps."""
        return self.short_help or (self.help or "").partition("\n\n")[0].replace("\n", " ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by section, in the order of declaration."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                record = _NUMBER.sub("N", record[0]), record[1]
                section = getattr(parameter, "section", "Options")
                sections.setdefault(section, []).append(record)
        for section, records in sections.items():
            with formatter.section(section):
                formatter.write_dl(records)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Errors that name an API field are reported with the matching flag."""
        try:
            return super().invoke(ctx)
        except InvalidInput as error:
            raise _flagged(error, error.field, error.problem, ctx) from None
        except InvalidConfiguration as error:
            if error.place:
                raise
            raise _flagged(error, error.option, error.problem, ctx) from None


class Command(_Described):
    """A command of `wordgate`."""


class Group(_Described, click.Group):
    """A command with subcommands."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a subcommand. If it does not exist, suggest similar names."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = get_close_matches(name, self.list_commands(ctx))
            ctx.fail(f"{name}: no such command{_near(near)}")
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def problem_of(error: click.ClickException) -> str:
    """Return a usage error in the form *option: problem*."""
    if isinstance(error, click.NoSuchOption):
        return f"{error.option_name}: no such option{_near(error.possibilities or ())}"
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return f"{_name(error.param)}: is missing"
    message = _lower(error.message.removesuffix("."))
    if isinstance(error, click.BadOptionUsage):
        prefix = f"option '{error.option_name}' "
        return f"{error.option_name}: {message.removeprefix(prefix)}"
    if not isinstance(error, click.BadParameter) or error.param is None:
        return message
    hint = error.param_hint
    if not isinstance(hint, str):
        hint = place_of(error.param, error.ctx) if error.ctx else _name(error.param)
    return f"{hint}: {message}" if hint else message


def place_of(parameter: click.Parameter, ctx: click.Context) -> str:
    """Return where a parameter was set: its flag, its variable, or the file and key."""
    name = parameter.name or ""
    source = ctx.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        return str(parameter.envvar)
    if source is ParameterSource.DEFAULT_MAP:
        return f"{ctx.params['config']}: {name}"
    return _name(parameter)


def help_hint(error: click.ClickException) -> str | None:
    """Return a line that refers to the command's help, if the command is known."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return f"Try '{ctx.command_path} --help'." if ctx is not None else None


def _flagged(
    error: InvalidInput | InvalidConfiguration, field: str, problem: str, ctx: click.Context
) -> Exception:
    """Return the error with a flag in place of the field, if a parameter sets the field."""
    field = _GROUP.sub("", field)
    parameter = _parameter_of(field, ctx.command)
    if parameter is None:
        return error
    hint = _hint(parameter, field, ctx)
    return click.BadParameter(_with_flags(problem, ctx.command), None, parameter, hint)


def _parameter_of(field: str, command: click.Command) -> click.Parameter | None:
    """Return the parameter that sets a field such as `tls.key` or `boosts[0]`."""
    outer = re.split(r"[.\[]", field, maxsplit=1)[0]
    for name in ("_".join(re.findall(r"\w+", field)), _ALIASES.get(outer, outer)):
        for parameter in command.params:
            if name == parameter.name or _flag(name) in parameter.opts:
                return parameter
    return None


def _hint(parameter: click.Parameter, field: str, ctx: click.Context) -> str:
    """Return where the parameter was set, and the value in question if it can be repeated."""
    name = "" if isinstance(parameter, click.Argument) else place_of(parameter, ctx)
    match = _INDEXED.match(field)
    if match is None:
        return name or _name(parameter)
    value, values = match[2], ctx.params.get(parameter.name or "")
    if value.isdecimal() and isinstance(values, tuple) and int(value) < len(values):
        value = values[int(value)]
    return f"{name} {_SHORT.repr(value)}".strip()


def _with_flags(problem: str, command: click.Command) -> str:
    """Replace the names of other fields in a problem with their flags."""
    flags = {p.name: _name(p) for p in command.params if isinstance(p, click.Option)}
    return _FIELD_NAME.sub(lambda match: flags.get(match[0], match[0]), problem)


def _name(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        return parameter.human_readable_name.strip("[].")
    return max(parameter.opts, key=len)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _near(names: Sequence[str]) -> str:
    return f"; did you mean {' or '.join(names)}?" if names else ""


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:] if message[1:2].islower() else message
