"""Options that say where hypotheses are read, and how errors in them are counted."""

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from wordgate.cli.command import SectionOption
from wordgate.cli.paths import INPUT_FILE, INPUT_PATH_OR_DASH
from wordgate.core.lattice_search import TRANSCRIPTS, SearchBounds
from wordgate.errors import InvalidFile
from wordgate.evaluation.error_rate import Counting, Normalise, Unit
from wordgate.evaluation.formats import espnet, jsonl, kaldi, nemo, references, slf, srilm
from wordgate.evaluation.hesitations import Utterance
from wordgate.evaluation.lines import Watch, unwatched

F = TypeVar("F", bound=Callable[..., Any])

_input = partial(click.option, cls=SectionOption, section="Input")
_search = partial(click.option, cls=SectionOption, section="Search")
_counting = partial(click.option, cls=SectionOption, section="Error rates")

_STANDARD_INPUT = Path("-")
_FOLDERS = {"kaldi": kaldi.read, "espnet": espnet.read, "srilm": srilm.read}


@dataclass(frozen=True)
class Source:
    """Where utterances are read."""

    path: Path
    format: str = "jsonl"
    references: Path | None = None
    manifest: Path | None = None
    beam: int | None = None
    score_at: str | None = None

    @property
    def is_standard_input(self) -> bool:
        """Whether lines are piped in by somebody who may wait for each answer."""
        return self.path == _STANDARD_INPUT

    def read(self, watch: Watch = unwatched) -> Iterator[Utterance | InvalidFile]:
        """The utterances; an `InvalidFile` in place of a line of JSON that is none.

        `watch` is told how far a file of JSON lines was read. Raises `InvalidFile` for any other
        that cannot be used.
        """
        found = self._read(watch)
        if self.references is None:
            return found
        return _with_references(found, references.read(self.references))

    def _read(self, watch: Watch) -> Iterator[Utterance | InvalidFile]:
        if self.format == "nemo":
            if self.manifest is None or self.beam is None:
                raise click.UsageError("--format nemo: needs --manifest and --beam")
            return nemo.read(self.path, self.manifest, self.beam)
        if self.manifest is not None or self.beam is not None:
            raise click.UsageError("--manifest, --beam: need --format nemo")
        if self.format == "slf":
            return slf.read(self.path, slf.ScoreAt(self.score_at) if self.score_at else None)
        if self.score_at is not None:
            raise click.UsageError("--score-at: needs --format slf")
        if self.format in _FOLDERS:
            return _FOLDERS[self.format](self.path)
        if self.is_standard_input:
            named = Path("standard input")
            return jsonl.parse(named, enumerate(sys.stdin.buffer, 1))
        return jsonl.read(self.path, watch)


def source_options(command: F) -> F:
    """`--input` and what belongs to it; the command gets a `source` of them."""
    options: list[Callable[[Any], Any]] = [
        _input(
            "--input",
            "input_path",
            required=True,
            type=INPUT_PATH_OR_DASH,
            help="A file, plain, .gz or .xz, or a folder, as the format has it. -: standard input.",
        ),
        _input(
            "--format",
            "input_format",
            type=click.Choice(["jsonl", *_FOLDERS, "nemo", "slf"]),
            default="jsonl",
            show_default=True,
            help="What the input is.",
        ),
        _input(
            "--references",
            type=INPUT_FILE,
            help="What was said: UTT word word …, or .trn.",
        ),
        _input(
            "--manifest",
            type=INPUT_FILE,
            help="The manifest of a nemo file.",
        ),
        _input("--beam", type=click.IntRange(min=1), help="Lines an utterance in a nemo file."),
        _input(
            "--score-at",
            type=click.Choice([each.value for each in slf.ScoreAt]),
            help="Whose word a link's scores are of in slf files, where they do not show it.",
        ),
    ]
    decorated: Any = _gathering(command)
    for option in reversed(options):
        decorated = option(decorated)
    return cast(F, decorated)


def search_options(command: F) -> F:
    """`--max-transcripts` and how far lattices are searched for them."""
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
                "How many are ranked; few may cost less.",
            ),
            ("search_beam", "beam", 1, True, "Beginnings continued of those that came as far."),
            (
                "recombination_words",
                "recombination_words",
                0,
                True,
                "Beginnings with so many last words in common go on as one; 0: never.",
            ),
            ("max_expansions", "max_expansions", 1, True, "Beginnings continued in all."),
        )
    ]
    decorated: Any = command
    for option in reversed(options):
        decorated = option(decorated)
    return cast(F, decorated)


def counting_options(command: F) -> F:
    """`--normalise`, `--unit`: how errors are counted."""
    normalise = _counting(
        "--normalise",
        type=click.Choice([each.value for each in Normalise]),
        default=Normalise.NONE.value,
        show_default=True,
        help="What is made equal before errors are counted.",
    )
    unit = _counting(
        "--unit",
        type=click.Choice([each.value for each in Unit]),
        default=Unit.WORD.value,
        show_default=True,
        help="What an error is counted in.",
    )
    return normalise(unit(command))


def counting_of(normalise: str, unit: str) -> Counting:
    """How the options count errors."""
    return Counting(Normalise(normalise), Unit(unit))


def _gathering(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, given one `source` in place of six options."""

    @functools.wraps(command)
    def gather(
        input_path: Path,
        input_format: str,
        references: Path | None,
        manifest: Path | None,
        beam: int | None,
        score_at: str | None,
        **others: Any,
    ) -> Any:
        source = Source(input_path, input_format, references, manifest, beam, score_at)
        return command(source=source, **others)

    return gather


def _with_references(
    utterances: Iterator[Utterance | InvalidFile], said: Mapping[str, str]
) -> Iterator[Utterance | InvalidFile]:
    for utterance in utterances:
        if isinstance(utterance, InvalidFile):
            yield utterance
            continue
        yield replace(utterance, reference=said.get(utterance.utt, utterance.reference))
