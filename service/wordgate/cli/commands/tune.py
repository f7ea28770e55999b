"""`wordgate tune`: what a recogniser's scores and the model's should weigh."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
from rich.table import Table

from wordgate.cli.command import Command
from wordgate.cli.options.model import connected_model, json_option, model_options
from wordgate.cli.options.server import ServerConnection
from wordgate.cli.options.source import Source, counting_of, counting_options, source_options
from wordgate.cli.terminal.progress import counted, say
from wordgate.cli.terminal.tables import add_numbers, print_table
from wordgate.errors import InvalidFile, empty
from wordgate.evaluation import tuning
from wordgate.evaluation.tuning import TuningResult
from wordgate.offline.reading_report import counting
from wordgate.offline.utterances import Utterance

_LATTICES = (
    "--input: lattices and word meshes cannot be tuned on; write lists of their best transcripts, "
    "which tune reads: `wordgate rescore --max-transcripts 100 --json`"
)


@click.command(cls=Command)
@source_options
@click.option(
    "--ignore", "ignored", multiple=True, metavar="NAME", help="A score that is not to be used."
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="Say what is wrong with an utterance that cannot be used, and go on without it.",
)
@counting_options
@model_options
@json_option
def tune(
    source: Source,
    ignored: tuple[str, ...],
    keep_going: bool,
    normalise: str,
    unit: str,
    model: Path | None,
    server: ServerConnection | None,
    as_json: bool,
) -> None:
    """Find the weights with the fewest errors on transcribed utterances.

    A line of the input is as for `wordgate rescore`, each with a "reference", or what `wordgate
    rescore --json` wrote. A few hundred utterances tell more than a few dozen: the intervals say
    how much chance is in the figures.

    \b
    wordgate tune --input dev.jsonl --json > tuned.json
    wordgate rescore --input test.jsonl --tuned tuned.json
    """
    if source.format == "slf":
        raise click.UsageError(_LATTICES)
    say(f"tuning on {source.path}: the model scores every candidate, then weights are searched")
    utterances = _some(_without_lattices(source.read()), source.path)
    refusals = _Refusals(keep_going)
    try:
        with connected_model(model, server, batch=True) as opened, counted(opened) as asked:
            known = tuning.collect(
                asked, utterances, counting_of(normalise, unit), ignored, refusals.add
            )
    finally:
        for line in source.report():
            click.echo(line, err=True)
    if known.useless:
        raise InvalidFile(source.path, f"no weights were found: {known.useless}")
    found = tuning.tune(known)
    if as_json:
        click.echo(json.dumps(document(found)))
        click.echo(found.verdict, err=True)
    else:
        print_table(_table(found, unit))
        click.echo(found.verdict)
    refusals.end(source.path)


class _Refusals:
    """Utterances that cannot be used: the first ends the run, or with `keep_going` all are told."""

    def __init__(self, keep_going: bool) -> None:
        self._keep_going = keep_going
        self._count = 0

    def add(self, error: InvalidFile) -> None:
        """Tell what is wrong with one; raised unless the run keeps going."""
        if not self._keep_going:
            raise error
        self._count += 1
        click.echo(f"wordgate: {error}", err=True)

    def end(self, source: Path) -> None:
        """Raise `InvalidFile` when there was one."""
        if self._count:
            problem = f"{counting(self._count, 'utterance')} could not be used"
            raise InvalidFile(source, f"{problem} and did not count, as asked")


def _without_lattices(
    utterances: Iterator[Utterance | InvalidFile],
) -> Iterator[Utterance | InvalidFile]:
    for utterance in utterances:
        if isinstance(utterance, Utterance) and utterance.lattice is not None:
            raise click.UsageError(_LATTICES)
        yield utterance


def _some(
    utterances: Iterator[Utterance | InvalidFile], path: Path
) -> Iterator[Utterance | InvalidFile]:
    """The utterances. Raises `InvalidFile` when there are none."""
    number = 0
    for number, utterance in enumerate(utterances, 1):  # noqa: B007
        yield utterance
    if not number:
        raise empty(path, "utterance")


def document(found: TuningResult) -> dict[str, object]:
    """What was found, as programs read it."""
    weighting = found.weighting
    return {
        "lm_weight": weighting.lm_weight,
        "word_bonus": weighting.word_bonus,
        "weights": dict(weighting.weights),
        "posterior_scale": weighting.posterior_scale,
        "wer_first": found.first,
        "wer_acoustic": found.acoustic,
        "wer_tuned": found.tuned,
        "wer_held_out": found.held_out,
        "wer_without_model": found.without_model,
        "wer_oracle": found.oracle,
        "interval": found.interval,
        "gain_interval": found.gain,
        "gain_over_own_interval": found.gain_over_own,
        "flat_within": found.flat,
        "left_out": found.left_out,
        "utterances": found.utterances,
        "units": found.units,
        "verdict": found.verdict,
    }


def _table(found: TuningResult, unit: str) -> Table:
    caption = f"{found.utterances} utterances of {found.units} {unit}s"
    table = Table(f"{unit} error rate", caption=caption)
    add_numbers(table, "")
    rows = [("first candidates", found.first)]
    if found.acoustic is not None:
        rows.append(("best acoustic score alone", found.acoustic))
    rows += [
        ("tuned, on the same utterances", found.tuned),
        ("tuned on one half, measured on the other", found.held_out),
        ("the same without the model", found.without_model),
        ("best candidates there are", found.oracle),
    ]
    for name, rate in rows:
        table.add_row(name, f"{rate:.2%}")
    table.add_section()
    weights = {
        "lm_weight": found.weighting.lm_weight,
        "word_bonus": found.weighting.word_bonus,
        **found.weighting.weights,
    }
    for name, weight in weights.items():
        low, high = found.flat.get(name, [weight, weight])
        note = f"{weight:.4g}" + (f"  (flat from {low:.4g} to {high:.4g})" if low != high else "")
        table.add_row(
            name,
            "left out: alike in all candidates, or a sum of others"
            if name in found.left_out
            else note,
        )
    table.add_row("posterior_scale", f"{found.weighting.scale:.4g}")
    return table
