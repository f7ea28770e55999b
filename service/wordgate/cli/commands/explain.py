"""`wordgate explain`: what a model expected at each word of a text, and what its gates did."""

import json
import math
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.markup import escape
from rich.table import Table

from wordgate.cli.command import Command
from wordgate.cli.options.model import (
    connected_model,
    json_option,
    language_of,
    model_document,
    model_options,
)
from wordgate.cli.options.paths import INPUT_FILE, OUTPUT_FILE
from wordgate.cli.options.server import ServerConnection
from wordgate.cli.terminal.probe_report import draw_probe, probe_document, probe_table
from wordgate.cli.terminal.progress import say
from wordgate.cli.terminal.tables import add_numbers, print_table
from wordgate.decoding.options import MAX_SUGGESTIONS
from wordgate.engine.results import ExplanationResult, GenerativeModel
from wordgate.evaluation.probes.builtin import PROPERTIES, builtin
from wordgate.evaluation.probes.examples import read
from wordgate.evaluation.probes.probe import probe
from wordgate.plots.canvas import check_picture
from wordgate.plots.explanation import Explained, bits, gate_map, shown
from wordgate.plots.explanation_page import write_page
from wordgate.plots.gates import draw_gates
from wordgate.scoring.activations import FIGURES, LayerActivations
from wordgate.scoring.explanation import DEFAULT_TOP_K, ExplanationQuery

_BLOCKS = " ▏▎▍▌▋▊▉█"
_BITS_PER_BLOCK = 1.0
_MAX_BLOCKS = 20
_SHOWN_ALTERNATIVES = 3
_NOT_WITH_PROBE = ("without", "top_k", "no_eos", "return_units", "html")


class _Probed(click.ParamType[Path | str]):
    """A property with built-in texts, or a file."""

    name = f"{'|'.join(PROPERTIES)}|FILE"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Path | str:
        if value in PROPERTIES:
            return str(value)
        if not Path(value).exists():
            self.fail(
                f"{value!r} is neither {', '.join(PROPERTIES)} nor a file", parameter, context
            )
        return INPUT_FILE.convert(value, parameter, context)


@click.command(cls=Command)
@click.argument("text", required=False)
@click.option(
    "--without",
    default="",
    metavar="WORDS",
    help="Words of the text to leave out: compare the later words with and without them.",
)
@click.option(
    "--top-k",
    default=DEFAULT_TOP_K,
    show_default=True,
    help=f"Alternatives per word and token, 0 to {MAX_SUGGESTIONS}.",
)
@click.option("--no-eos", is_flag=True, help="Exclude the end of the text.")
@click.option(
    "--units", "return_units", is_flag=True, help="With --json: activations of every unit."
)
@click.option(
    "--plot",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Draw the gates over the words, as .png or .svg. Requires the extra `plots`.",
)
@click.option("--html", type=OUTPUT_FILE, metavar="FILE", help="Write a self-contained page.")
@click.option(
    "--probe",
    "probed",
    type=_Probed(),
    metavar="PROPERTY|FILE",
    help=f"Find the cells that follow a property, by a linear probe: {', '.join(PROPERTIES)} "
    "(built-in texts), or a .tsv with the columns text and label. --plot draws it over TEXT.",
)
@model_options
@json_option
def explain(
    text: str | None,
    without: str,
    top_k: int,
    no_eos: bool,
    return_units: bool,
    plot: Path | None,
    html: Path | None,
    probed: str | Path | None,
    model: Path | None,
    server: ServerConnection | None,
    as_json: bool,
) -> None:
    """Explain what the model expected at each word of TEXT, and what its gates did.

    Surprisal, also that without WORDS, is in bits, with --json in nats. Line breaks in TEXT are
    read as in a history.

    \b
    wordgate explain "the keys to the cabinet are on the table" --plot gates.png
    wordgate explain "I grew up in France, I speak French" --without "I grew up in France"
    wordgate explain --probe number --plot number.png
    """
    if probed is not None:
        _refuse_with_probe(click.get_current_context())
        if text is not None and plot is None and not as_json:
            raise click.UsageError("TEXT: requires --plot or --json with --probe")
    elif text is None:
        raise click.UsageError("TEXT: is missing; pass the text to explain")
    if return_units and not as_json:
        raise click.UsageError("--units: requires --json")
    if plot is not None:
        check_picture(plot)
    if probed is not None:
        _probe(probed, text, plot, as_json, connected_model(model, server, priority="batch"))
        return
    query = ExplanationQuery(text or "", without, top_k, return_units, not no_eos)
    with connected_model(model, server) as language_model:
        answer = language_model.submit_explain(query).result()
    explained = document(answer)
    if plot is not None:
        draw_gates(gate_map(explained), plot, str(answer.model))
        say(f"wrote {plot}")
    if html is not None:
        write_page(explained, html)
        say(f"wrote {html}")
    if as_json:
        click.echo(json.dumps(explained, ensure_ascii=False))
    else:
        print_table(_table(explained, answer))


def _refuse_with_probe(context: click.Context) -> None:
    """Raise `UsageError` for an option that has no effect with --probe."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in _NOT_WITH_PROBE and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]}: cannot be combined with --probe")


def _probe(
    probed: str | Path,
    text: str | None,
    plot: Path | None,
    as_json: bool,
    connected: AbstractContextManager[GenerativeModel],
) -> None:
    """Fit and report a probe; draw it over `text`, or over a text of its own."""
    say(f"probing {probed}")
    data = read(probed) if isinstance(probed, Path) else None
    with connected as model:
        if data is None:
            data = builtin(str(probed), language_of(model))
        report = probe(model, data, text)
    if plot is not None:
        draw_probe(report, plot)
        say(f"wrote {plot}")
    if as_json:
        click.echo(json.dumps(probe_document(report), ensure_ascii=False))
    else:
        print_table(probe_table(report))


def document(answer: ExplanationResult) -> Explained:
    """Return the answer as a JSON document."""
    explanation = answer.explanation
    words = [asdict(word) for word in explanation.words]
    for word in words:
        if word["log_prob_without"] is None:
            del word["log_prob_without"]
    return {
        "model": model_document(answer.model),
        "log_prob": explanation.log_prob,
        "counted_eos": answer.counted_eos,
        "words": words,
        "tokens": [
            {
                "text": token.text,
                "word": shown(words[token.word_index]),
                "word_index": token.word_index,
                "surprisal": token.surprisal,
                "alternatives": [asdict(each) for each in token.alternatives],
                "layers": [_layer(layer) for layer in token.layers],
            }
            for token in explanation.tokens
        ],
    }


def _layer(layer: LayerActivations) -> dict[str, object]:
    figures: dict[str, object] = {name: getattr(layer, name) for name in FIGURES}
    if layer.units is not None:
        figures["units"] = {
            name: getattr(layer.units, name).tolist() for name in layer.units.__slots__
        }
    return figures


def _table(explained: Explained, answer: ExplanationResult) -> Table:
    words = explained["words"]
    total = bits(-explained["log_prob"]) / len(words)
    caption = f"{answer.model}: {total:.1f} bits per word, perplexity {2**total:,.0f}"
    has_clue = any("log_prob_without" in word for word in words)
    table = Table("word", caption=caption)
    add_numbers(table, "bits")
    if has_clue:
        add_numbers(table, "without")
    table.add_column("surprisal", no_wrap=True)
    has_alternatives = any(word["alternatives"] for word in words)
    if has_alternatives:
        table.add_column("likeliest words")
    for word in words:
        size = bits(word["surprisal"])
        cells = [escape(shown(word)), f"{size:.1f}"]
        if has_clue:
            without = word.get("log_prob_without")
            cells.append("" if without is None else f"{bits(-without):.1f}")
        cells.append(_bar(size))
        if has_alternatives:
            cells.append(escape(_likely(word["alternatives"])))
        table.add_row(*cells)
    return table


def _bar(size: float) -> str:
    """Return a bar of one block per bit, to an eighth of a block."""
    eighths = round(8 * min(_MAX_BLOCKS, size / _BITS_PER_BLOCK))
    return _BLOCKS[8] * (eighths // 8) + _BLOCKS[eighths % 8].strip()


def _likely(alternatives: list[dict[str, object]]) -> str:
    return " · ".join(
        f"{each['word']} {math.exp(float(str(each['log_prob']))):.0%}"
        for each in alternatives[:_SHOWN_ALTERNATIVES]
    )
