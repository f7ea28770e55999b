"""`wordgate tune`: find the best weights of a recogniser's scores and the model's."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
from rich.table import Table

from wordgate.cli.command import Command
from wordgate.cli.options.model import connected_model, json_option, model_options
from wordgate.cli.options.paths import OUTPUT_FILE
from wordgate.cli.options.server import ServerConnection
from wordgate.cli.options.source import Source, counting_of, counting_options, source_options
from wordgate.cli.terminal.progress import counted, say
from wordgate.cli.terminal.tables import add_numbers, print_table
from wordgate.errors import InvalidFile, empty
from wordgate.evaluation import tuning
from wordgate.evaluation.tuning import TuningResult
from wordgate.offline.reading_report import counting
from wordgate.offline.utterances import Utterance
from wordgate.plots.canvas import check_picture
from wordgate.plots.tuning_curve import draw_tuning_curve

_LATTICES = (
    "--input: tuning on lattices and word meshes is not supported; write n-best lists with "
    "`wordgate rescore --max-transcripts 100 --json` and tune on those"
)


@click.command(cls=Command)
@source_options
@click.option(
    "--ignore", "ignored", multiple=True, metavar="NAME", help="Score to ignore. Repeatable."
)
@click.option(
    "--skip-invalid",
    is_flag=True,
    help="Report an invalid utterance, skip it, and continue.",
)
@counting_options
@click.option(
    "--plot",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Draw the error rate by LM weight, as .png or .svg. Requires the extra `plots`.",
)
@model_options
@json_option
def tune(
    source: Source,
    ignored: tuple[str, ...],
    skip_invalid: bool,
    normalise: str,
    unit: str,
    plot: Path | None,
    model: Path | None,
    server: ServerConnection | None,
    as_json: bool,
) -> None:
    """Find the weights with the fewest errors on transcribed utterances.

    Input lines have the format of `wordgate rescore` plus a "reference"; output of `wordgate
    rescore --json` also works. Use a few hundred utterances rather than a few dozen: the
    confidence intervals show how reliable the figures are.

    \b
    wordgate tune --input dev.jsonl --plot weights.png --json > tuned.json
    wordgate rescore --input test.jsonl --weights-file tuned.json
    """
    if source.format == "slf":
        raise click.UsageError(_LATTICES)
    if plot is not None:
        check_picture(plot)
    say(f"tuning on {source.path}: scoring every candidate, then searching for weights")
    utterances = _some(_without_lattices(source.read()), source.path)
    refusals = _Refusals(skip_invalid)
    try:
        with (
            connected_model(model, server, priority="batch") as opened,
            counted(opened) as language_model,
        ):
            known = tuning.collect(
                language_model, utterances, counting_of(normalise, unit), ignored, refusals.add
            )
    finally:
        for line in source.report():
            click.echo(line, err=True)
    if known.useless:
        raise InvalidFile(source.path, f"no weights found: {known.useless}")
    result = tuning.tune(known)
    if plot is not None:
        _draw(result, unit, plot)
        say(f"wrote {plot}")
    if as_json:
        click.echo(json.dumps(document(result)))
        click.echo(result.verdict, err=True)
    else:
        print_table(_table(result, unit))
        click.echo(result.verdict)
    refusals.end(source.path)


class _Refusals:
    """Invalid utterances: raise the first error, or with `skip_invalid` report and count all."""

    def __init__(self, skip_invalid: bool) -> None:
        self._skip_invalid = skip_invalid
        self._count = 0

    def add(self, error: InvalidFile) -> None:
        """Report and count an error, or raise it without `skip_invalid`."""
        if not self._skip_invalid:
            raise error
        self._count += 1
        click.echo(f"wordgate: {error}", err=True)

    def end(self, source: Path) -> None:
        """Raise `InvalidFile` if any utterance was skipped."""
        if self._count:
            skipped = counting(self._count, "invalid utterance")
            raise InvalidFile(source, f"skipped {skipped} (--skip-invalid)")


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
    """Yield the utterances. Raises `InvalidFile` if there are none."""
    number = 0
    for number, utterance in enumerate(utterances, 1):  # noqa: B007
        yield utterance
    if not number:
        raise empty(path, "utterance")


def document(result: TuningResult) -> dict[str, object]:
    """Return the result as a JSON document."""
    score_weights = result.score_weights
    return {
        "lm_weight": score_weights.lm_weight,
        "word_insertion_bonus": score_weights.word_insertion_bonus,
        "weights": dict(score_weights.weights),
        "posterior_scale": score_weights.posterior_scale,
        "wer_first": result.first,
        "wer_acoustic": result.acoustic,
        "wer_tuned": result.tuned,
        "wer_held_out": result.held_out,
        "wer_without_model": result.without_model,
        "wer_oracle": result.oracle,
        "interval": result.interval,
        "gain_interval": result.gain,
        "gain_over_own_interval": result.gain_over_own,
        "flat_within": result.flat,
        "left_out": result.left_out,
        "utterances": result.utterances,
        "units": result.units,
        "verdict": result.verdict,
    }


def _draw(result: TuningResult, unit: str, path: Path) -> None:
    """Draw the error rate by LM weight, with those of no model and of the oracle."""
    lm_weight = result.score_weights.lm_weight
    draw_tuning_curve(
        result.lm_curve,
        (lm_weight, result.tuned),
        result.flat.get("lm_weight", []),
        {
            "first candidates": result.first,
            "held out, without the model": result.without_model,
            "held out": result.held_out,
            "oracle": result.oracle,
        },
        path,
        f"{result.utterances} utterances of {result.units:,} {unit}s",
        f"{unit} error rate (%)",
    )


def _table(result: TuningResult, unit: str) -> Table:
    caption = f"{result.utterances} utterances of {result.units} {unit}s"
    table = Table(f"{unit} error rate", caption=caption)
    add_numbers(table, "")
    rows = [("first candidates", result.first)]
    if result.acoustic is not None:
        rows.append(("best acoustic score alone", result.acoustic))
    rows += [
        ("tuned, on the same utterances", result.tuned),
        ("held out: tuned on one half, measured on the other", result.held_out),
        ("held out, without the model", result.without_model),
        ("oracle: candidates with the fewest errors", result.oracle),
    ]
    for name, rate in rows:
        table.add_row(name, f"{rate:.2%}")
    table.add_section()
    weights = {
        "lm_weight": result.score_weights.lm_weight,
        "word_insertion_bonus": result.score_weights.word_insertion_bonus,
        **result.score_weights.weights,
    }
    for name, weight in weights.items():
        low, high = result.flat.get(name, [weight, weight])
        note = f"{weight:.4g}" + (f"  (flat from {low:.4g} to {high:.4g})" if low != high else "")
        table.add_row(
            name,
            "left out: equal in all candidates, or a linear combination of other scores"
            if name in result.left_out
            else note,
        )
    table.add_row("posterior_scale", f"{result.score_weights.scale:.4g}")
    return table
