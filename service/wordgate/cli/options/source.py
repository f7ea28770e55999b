"""Options for the input hypotheses, the search and error rates."""

import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from wordgate.cli.command import SectionOption
from wordgate.cli.options.paths import INPUT_FILE, INPUT_PATH_OR_DASH, STANDARD_INPUT
from wordgate.errors import InvalidFile
from wordgate.evaluation.error_rate import Counting, Normalise, Unit
from wordgate.offline.formats import espnet, jsonl, kaldi, nemo, references, slf, srilm, vosk
from wordgate.offline.formats.format_detection import reject_other_format
from wordgate.offline.lines import Watch, unwatched
from wordgate.offline.null_labels import NullLabels
from wordgate.offline.reading_report import Reading
from wordgate.offline.utterances import Utterance, referenced
from wordgate.scoring.lattice_search import TRANSCRIPTS, SearchBounds

F = TypeVar("F", bound=Callable[..., Any])

_input = partial(click.option, cls=SectionOption, section="Input")
_search = partial(click.option, cls=SectionOption, section="Search")
_counting = partial(click.option, cls=SectionOption, section="Error rates")

_FOLDERS = {"kaldi": kaldi.read, "espnet": espnet.read, "srilm": srilm.read, "vosk": vosk.read}


@dataclass(frozen=True)
class Source:
    """Input of utterances, and the report of how it was read."""

    path: Path
    format: str = "jsonl"
    references: Path | None = None
    manifest: Path | None = None
    beam: int | None = None
    score_at: str | None = None
    null_labels: tuple[str, ...] = ()

    @property
    def is_standard_input(self) -> bool:
        """Whether the input is standard input, whose writer may wait for each result."""
        return self.path == STANDARD_INPUT

    @cached_property
    def reading(self) -> Reading:
        """The reading report. For JSON lines, only labels from --null-label are null labels."""
        if self.format == "jsonl":
            return Reading(NullLabels(self.null_labels))
        return Reading.of_recogniser(*self.null_labels)

    def read(self, watch: Watch = unwatched) -> Iterator[Utterance | InvalidFile]:
        """Yield the utterances, or an `InvalidFile` in place of an invalid one.

        `watch` receives the position in a file of JSON lines. Raises `InvalidFile` if the input
        cannot be read at all.
        """
        self._check_options()
        if not self.is_standard_input:
            reject_other_format(self.path, self.format)
        transcripts = None if self.references is None else references.read(self.references)
        return referenced(self._read(watch), self.reading, transcripts)

    def report(self) -> Iterator[str]:
        """Yield the lines of the reading report, each with the name of the input."""
        name = "standard input" if self.is_standard_input else self.path
        for line in self.reading.report():
            yield f"{name}: {line}"

    def _check_options(self) -> None:
        is_nemo = self.format == "nemo"
        if is_nemo and (self.manifest is None or self.beam is None):
            raise click.UsageError("--format nemo: requires --manifest and --beam")
        if not is_nemo and (self.manifest is not None or self.beam is not None):
            raise click.UsageError("--manifest, --beam: require --format nemo")
        if self.format != "slf" and self.score_at is not None:
            raise click.UsageError("--score-at: requires --format slf")
        if self.is_standard_input and self.format != "jsonl":
            raise click.UsageError(
                f"--format {self.format}: requires a file or folder; --input - reads JSON lines"
            )

    def _read(self, watch: Watch) -> Iterator[Utterance | InvalidFile]:
        if self.manifest is not None and self.beam is not None:
            return nemo.read(self.path, self.manifest, self.beam, self.reading)
        if self.format == "slf":
            score_at = slf.ScoreAt(self.score_at) if self.score_at else None
            return slf.read(self.path, score_at, self.reading)
        if self.format in _FOLDERS:
            return _FOLDERS[self.format](self.path, self.reading)
        if self.is_standard_input:
            named = Path("standard input")
            return jsonl.parse(named, enumerate(sys.stdin.buffer, 1), self.reading)
        return jsonl.read(self.path, watch, self.reading)


def source_options(command: F) -> F:
    """Add `--input` and its related options; the command receives them as one `source`."""
    options: list[Callable[[Any], Any]] = [
        _input(
            "--input",
            "input_path",
            required=True,
            type=INPUT_PATH_OR_DASH,
            help="Input file (plain, .gz or .xz) or folder, depending on the format; - for stdin.",
        ),
        _input(
            "--format",
            "input_format",
            type=click.Choice(["jsonl", *_FOLDERS, "nemo", "slf"]),
            default="jsonl",
            show_default=True,
            help="Format of the input.",
        ),
        _input(
            "--references",
            type=INPUT_FILE,
            help="Reference transcripts: lines UTT word word …, or .trn, .stm, .ctm.",
        ),
        _input(
            "--manifest",
            type=INPUT_FILE,
            help="With --format nemo: the manifest.",
        ),
        _input(
            "--beam",
            type=click.IntRange(min=1),
            help="With --format nemo: candidates per utterance.",
        ),
        _input(
            "--score-at",
            type=click.Choice([each.value for each in slf.ScoreAt]),
            help="With --format slf: the node whose word a link's scores belong to.  [detected]",
        ),
        _input(
            "--null-label",
            "null_labels",
            multiple=True,
            metavar="PATTERN",
            help="Extra null label, such as a noise mark; * matches any characters. Repeatable.",
        ),
    ]
    decorated: Any = _gathering(command)
    for option in reversed(options):
        decorated = option(decorated)
    return cast(F, decorated)


def search_options(command: F) -> F:
    """Add `--max-transcripts` and the limits of the lattice search."""
    options: list[Callable[[Any], Any]] = [
        _search(
            f"--{name.replace('_', '-')}",
            name,
            type=click.IntRange(min=least),
            default=getattr(SearchBounds, field),
            show_default=shown,
            help=text,
        )
        for name, field, least, shown, text in (
            (
                "max_transcripts",
                "max_transcripts",
                1,
                f"{TRANSCRIPTS} of a lattice, all of a list",
                "Maximum number of ranked transcripts.",
            ),
            (
                "search_beam",
                "beam",
                1,
                True,
                "Beam width: partial hypotheses kept per search level.",
            ),
            (
                "recombination_words",
                "recombination_words",
                0,
                True,
                "Merge partial hypotheses that share this many last words; 0: never.",
            ),
            (
                "max_expansions",
                "max_expansions",
                1,
                True,
                "Maximum number of partial hypotheses to extend.",
            ),
        )
    ]
    decorated: Any = command
    for option in reversed(options):
        decorated = option(decorated)
    return cast(F, decorated)


def counting_options(command: F) -> F:
    """Add `--normalise` and `--unit`, which control error counting."""
    normalise = _counting(
        "--normalise",
        type=click.Choice([each.value for each in Normalise]),
        default=Normalise.NONE.value,
        show_default=True,
        help="Text normalisation before error counting; basic ignores case and punctuation.",
    )
    unit = _counting(
        "--unit",
        type=click.Choice([each.value for each in Unit]),
        default=Unit.WORD.value,
        show_default=True,
        help="Unit of the error rate.",
    )
    return normalise(unit(command))


def counting_of(normalise: str, unit: str) -> Counting:
    """Return the error counting that the options select."""
    return Counting(Normalise(normalise), Unit(unit))


def _gathering(command: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a command so that it receives one `source` in place of seven options."""

    @functools.wraps(command)
    def gather(
        input_path: Path,
        input_format: str,
        references: Path | None,
        manifest: Path | None,
        beam: int | None,
        score_at: str | None,
        null_labels: tuple[str, ...],
        **others: Any,
    ) -> Any:
        source = Source(input_path, input_format, references, manifest, beam, score_at, null_labels)
        return command(source=source, **others)

    return gather
