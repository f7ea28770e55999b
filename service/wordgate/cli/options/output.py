"""Where a command writes its results: standard output, or a file that a killed run goes on with."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from wordgate.cli.command import SectionOption
from wordgate.engine.results import ModelVersion
from wordgate.errors import InvalidFile, empty
from wordgate.offline.resumable_output import ResumableFile

F = TypeVar("F", bound=Callable[..., Any])

_option = partial(click.option, cls=SectionOption, section="Output")
T = TypeVar("T")

_REFUSED = "refused"
_FORMATS = (".jsonl", ".trn", ".ctm")


def output_options(command: F) -> F:
    """`--output FILE` and `--keep-going`."""
    output = _option(
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write here; .gz and .xz pack it. After a kill, repeat the command to resume.",
    )
    keep_going = _option(
        "--keep-going",
        is_flag=True,
        help="Report a bad record in the place of its result, and continue.",
    )
    return output(keep_going(command))


def implied_format(output: Path | None) -> str | None:
    """Return the format that a name such as `ranked.jsonl.gz` asks for, or None."""
    if output is None:
        return None
    ending = Path(output.name.removesuffix(".gz").removesuffix(".xz")).suffix
    return ending.removeprefix(".") if ending in _FORMATS else None


class Results:
    """Takes results in the order of the records that they answer.

    `done` records have been answered by an earlier run.
    """

    def __init__(
        self, file: ResumableFile | None, bar: "Bar | None", keep_going: bool, source: Path
    ) -> None:
        self.done = file.progress.records if file else 0
        self._sums: dict[str, int] = {}
        self._file = file
        self._bar = bar
        self._keep_going = keep_going
        self._source = source
        self._records = self.done

    @property
    def sums(self) -> Mapping[str, int]:
        """Sums over the records answered, by an earlier run too."""
        return self._file.progress.sums if self._file else self._sums

    def write(self, lines: Iterable[str], model: ModelVersion, sums: Mapping[str, int]) -> None:
        """The lines that answer the next record, who gave the answer, its part of the sums.

        Raises `InvalidFile` when another model answered the records before it.
        """
        if self._file is not None:
            self._file.bind("answers of", f"{model} {model.precision}")
        self._write(lines, sums)

    def refuse(self, error: InvalidFile, as_json: bool) -> None:
        """What is wrong with the next record takes its place; raised unless the run keeps going."""
        if not self._keep_going:
            raise error
        document = {"line": error.line, "error": error.problem}
        if self._source in error.path.parents:
            document["file"] = str(error.path)
        if not as_json:
            click.echo(f"wordgate: {error}", err=True)
        self._write([json.dumps(document, ensure_ascii=False)] if as_json else [], {_REFUSED: 1})

    def rest_of(self, records: Iterator[T], source: Path) -> Iterator[T]:
        """The records that are not answered yet.

        Raises `InvalidFile` when there are fewer than were answered: it is another file.
        """
        for number in range(self.done):
            if next(records, None) is None:
                problem = f"has {number:,} records, of which {self.done:,} were answered before"
                raise InvalidFile(source, f"{problem}; it is not the file that it was")
        yield from records

    def read(self, position: int) -> None:
        """So many bytes of the input were read."""
        if self._bar is not None:
            self._bar.position = position

    def end(self, source: Path) -> None:
        """Raise `InvalidFile` when records were refused on the way, or when there were none."""
        refused = self.sums.get(_REFUSED, 0)
        if refused:
            raise InvalidFile(source, f"has {refused:,} records that were passed over, as asked")
        if not self._records:
            raise empty(source, "record")

    def _write(self, lines: Iterable[str], sums: Mapping[str, int]) -> None:
        self._records += 1
        if self._bar is not None:
            self._bar.show(self._records)
        if self._file is not None:
            self._file.write(lines, sums)
            return
        for line in lines:
            click.echo(line)
        for name, value in sums.items():
            self._sums[name] = self._sums.get(name, 0) + value


@contextmanager
def results(
    output: Path | None, source: Path, keep_going: bool, **fixed: object
) -> Iterator[Results]:
    """Where results of what is read from `source` go.

    When a killed run goes on, the options of the command have to be the same, and what is `fixed`
    beside them. Raises `InvalidFile` as `ResumableFile`. Shows a bar to people whom no results
    reach.
    """
    with ExitStack() as stack:
        file = None
        if output is not None:
            if not output.parent.is_dir():
                raise InvalidFile(output.parent, "does not exist; make the folder first")
            run = {**click.get_current_context().params, **fixed}
            own = {"output", "keep_going"}
            file = ResumableFile(output, {n: str(run[n]) for n in sorted(run.keys() - own)})
            stack.enter_context(_kept(file, output))
            stack.enter_context(file)
        shown = sys.stderr.isatty() and not (output is None and sys.stdout.isatty())
        bar = stack.enter_context(Bar(source)) if shown else None
        yield Results(file, bar, keep_going, source)


@contextmanager
def _kept(file: ResumableFile, output: Path) -> Iterator[None]:
    """Say where a run goes on, and what is kept of one that ends early."""
    if file.progress.records:
        click.echo(f"{output}: goes on after record {file.progress.records:,}", err=True)
    try:
        yield
    except BaseException:
        if file.kept:
            kept = f"{file.kept:,} records are kept"
            click.echo(f"{output}: {kept}; the same command goes on with the next", err=True)
        raise


class Bar:
    """How far a run is: by bytes of its input where that is a file, and by records."""

    def __init__(self, source: Path) -> None:
        self.position = 0
        self._first: int | None = None
        self._bar = Progress(
            BarColumn(),
            TaskProgressColumn(),
            TextColumn(
                "{task.fields[records]:,} records, {task.fields[speed]:,.0f} per second",
                table_column=Column(overflow="fold"),  # numbers are not cut in a narrow terminal
            ),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        total = source.stat().st_size if source.is_file() else None
        self._task = self._bar.add_task("", total=total, records=0, speed=0.0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, records: int) -> None:
        """Say that so many records are answered."""
        self._first = records if self._first is None else self._first
        speed = (records - self._first) / (self._bar.tasks[0].elapsed or 1.0)
        self._bar.update(self._task, completed=self.position, records=records, speed=speed)
