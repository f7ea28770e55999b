"""Output of batch commands: standard output, or a file that an interrupted run can resume."""

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
from wordgate.errors import InvalidFile, empty
from wordgate.lm.model_version import ModelVersion
from wordgate.offline.reading_report import counting
from wordgate.offline.resumable_output import ResumableFile

F = TypeVar("F", bound=Callable[..., Any])

_option = partial(click.option, cls=SectionOption, section="Output")
T = TypeVar("T")

_REJECTED = "rejected"
_FORMATS = (".jsonl", ".trn", ".ctm")


def output_options(command: F) -> F:
    """Add `--output FILE` and `--skip-invalid`."""
    output = _option(
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Output file; compressed if it ends in .gz or .xz. Rerun the command to resume.",
    )
    skip_invalid = _option(
        "--skip-invalid",
        is_flag=True,
        help="Write an error record for a bad input record, and continue.",
    )
    return output(skip_invalid(command))


def implied_format(output: Path | None) -> str | None:
    """Return the format implied by a file name such as `ranked.jsonl.gz`, or None."""
    if output is None:
        return None
    ending = Path(output.name.removesuffix(".gz").removesuffix(".xz")).suffix
    return ending.removeprefix(".") if ending in _FORMATS else None


class Results:
    """Writes results in the order of the input records.

    `done` is the number of records that an earlier run has finished.
    """

    def __init__(
        self, file: ResumableFile | None, bar: "Bar | None", skip_invalid: bool, source: Path
    ) -> None:
        self.done = file.progress.records if file else 0
        self._sums: dict[str, int] = {}
        self._file = file
        self._bar = bar
        self._skip_invalid = skip_invalid
        self._source = source
        self._records = self.done

    @property
    def sums(self) -> Mapping[str, int]:
        """Sums over all finished records, including those of an earlier run."""
        return self._file.progress.sums if self._file else self._sums

    def write(self, lines: Iterable[str], model: ModelVersion, sums: Mapping[str, int]) -> None:
        """Write the result lines of the next record, and add its `sums`.

        Raises `InvalidFile` if earlier records were answered by a different model.
        """
        if self._file is not None:
            self._file.bind("model version", f"{model} {model.precision}")
        self._write(lines, sums)

    def refuse(self, error: InvalidFile, as_json: bool) -> None:
        """Write an error record for the next record, or raise the error without --skip-invalid."""
        if not self._skip_invalid:
            raise error
        document = {"line": error.line, "error": error.problem}
        if self._source in error.path.parents:
            document["file"] = str(error.path)
        if not as_json:
            click.echo(f"wordgate: {error}", err=True)
        self._write([json.dumps(document, ensure_ascii=False)] if as_json else [], {_REJECTED: 1})

    def rest_of(self, records: Iterator[T], source: Path) -> Iterator[T]:
        """Yield the records that are not finished yet.

        Raises `InvalidFile` if the input has fewer records than an earlier run finished.
        """
        for number in range(self.done):
            if next(records, None) is None:
                problem = (
                    f"has {counting(number, 'record')}, but an earlier run finished {self.done:,}"
                )
                raise InvalidFile(source, f"{problem}; the file has changed, write to a new output")
        yield from records

    def read(self, position: int) -> None:
        """Update the progress bar: the position in the input in bytes."""
        if self._bar is not None:
            self._bar.position = position

    def end(self, source: Path) -> None:
        """Raise `InvalidFile` if records were rejected, or if there were none."""
        refused = self.sums.get(_REJECTED, 0)
        if refused:
            raise InvalidFile(source, f"skipped {counting(refused, 'record')} (--skip-invalid)")
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
    output: Path | None, source: Path, skip_invalid: bool, **fixed: object
) -> Iterator[Results]:
    """Open the output for results of the records in `source`.

    A run can be resumed only with the same command options and the same values in `fixed`. Raises
    `InvalidFile` like `ResumableFile`. Shows a progress bar if standard error is a terminal and the
    results do not go to it.
    """
    with ExitStack() as stack:
        file = None
        if output is not None:
            if not output.parent.is_dir():
                raise InvalidFile(output.parent, "does not exist; create the folder first")
            run = {**click.get_current_context().params, **fixed}
            own = {"output", "skip_invalid"}
            file = ResumableFile(output, {n: str(run[n]) for n in sorted(run.keys() - own)})
            stack.enter_context(_kept(file, output))
            stack.enter_context(file)
        shown = sys.stderr.isatty() and not (output is None and sys.stdout.isatty())
        bar = stack.enter_context(Bar(source)) if shown else None
        yield Results(file, bar, skip_invalid, source)


@contextmanager
def _kept(file: ResumableFile, output: Path) -> Iterator[None]:
    """Report where a run resumes, and how many records are kept if it ends early."""
    if file.progress.records:
        click.echo(f"{output}: resuming after record {file.progress.records:,}", err=True)
    try:
        yield
    except BaseException:
        if file.kept:
            kept = f"{counting(file.kept, 'record')} kept"
            click.echo(f"{output}: {kept}; rerun the same command to resume", err=True)
        raise


class Bar:
    """Progress bar: share of the input's bytes if it is a file, and number of records."""

    def __init__(self, source: Path) -> None:
        self.position = 0
        self._first: int | None = None
        self._bar = Progress(
            BarColumn(),
            TaskProgressColumn(),
            TextColumn(
                "{task.fields[records]:,} records, {task.fields[speed]:,.0f} per second",
                table_column=Column(overflow="fold"),  # do not truncate in a narrow terminal
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
        """Show the number of finished records."""
        self._first = records if self._first is None else self._first
        speed = (records - self._first) / (self._bar.tasks[0].elapsed or 1.0)
        self._bar.update(self._task, completed=self.position, records=records, speed=speed)
