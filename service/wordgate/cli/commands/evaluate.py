"""`wordgate evaluate`: perplexity, keystroke savings, typos, cloze tests, suites of pairs."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from wordgate.bundle.bundle import read_manifest
from wordgate.cli.command import Command, SectionOption
from wordgate.cli.options.model import (
    BUNDLE,
    connected_model,
    json_option,
    language_of,
    model_options,
)
from wordgate.cli.options.paths import INPUT_FILE, INPUT_PATH, OUTPUT_FILE
from wordgate.cli.options.server import ServerConnection
from wordgate.cli.terminal.comparison_report import (
    Compared,
    comparison_document,
    comparison_table,
)
from wordgate.cli.terminal.progress import counted, say
from wordgate.cli.terminal.suite_report import draw_suite, suite_table
from wordgate.cli.terminal.tables import figures_table, print_table
from wordgate.decoding.options import (
    MAX_CACHE_WEIGHT,
    MAX_SUGGESTIONS,
    ContinuousCache,
    LetterCase,
    Options,
)
from wordgate.engine.results import GenerativeModel, LanguageModel
from wordgate.evaluation import cloze, keystroke_savings, minimal_pairs, perplexity, typo_correction
from wordgate.evaluation.comparison import compare_messages, compare_texts
from wordgate.evaluation.keystroke_savings import Savings
from wordgate.evaluation.minimal_pairs import PairsResult
from wordgate.evaluation.suites.suite import SUITES
from wordgate.evaluation.typo_correction import Corrections
from wordgate.lm.model_version import ModelVersion
from wordgate.offline.lines import read_lines
from wordgate.plots.canvas import check_picture

T = TypeVar("T")
_BUILTIN = "builtin"


class _ClozeTests(click.ParamType[Path | str]):
    """A file of cloze tests, or those of the package."""

    name = f"FILE|{_BUILTIN}"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Path | str:
        return _BUILTIN if value == _BUILTIN else INPUT_FILE.convert(value, parameter, context)


_TYPING = "With --keystroke-savings"
_typing = partial(click.option, cls=SectionOption, section=_TYPING)
_SUITE = "With --suite"
_suite = partial(click.option, cls=SectionOption, section=_SUITE)


@click.command(cls=Command)
@click.option("--text", type=INPUT_FILE, help="Perplexity of a file, one text per line.")
@click.option(
    "--no-punctuation", is_flag=True, help="With --text: strip punctuation, as in speech."
)
@click.option(
    "--no-top",
    is_flag=True,
    help="With --text: skip top1 and top3, which take most of the time.",
)
@click.option(
    "--cloze",
    "cloze_tests",
    type=_ClozeTests(),
    metavar=_ClozeTests.name,
    help="Cloze tests of a file: context, good word and bad word per line, separated by tabs; or "
    "`builtin`: the 50 English ones of the package.",
)
@click.option(
    "--keystroke-savings",
    "typing",
    type=INPUT_FILE,
    help="Keystroke savings on a file, one message per line.",
)
@click.option(
    "--typo-correction",
    "slip_file",
    type=INPUT_FILE,
    help="Typo correction on a file, one message per line.",
)
@click.option(
    "--suite",
    type=click.Choice(list(SUITES)),
    help="Minimal pairs: whether the good sentence of each pair is more likely. `pairs` reads your "
    "own.",
)
@_suite(
    "--data",
    type=INPUT_PATH,
    help="The pairs: a .jsonl or .tsv file, or for blimp and agreement the folder of their files.",
)
@_suite(
    "--plot",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Draw a bar chart, as .png or .svg. Requires the extra `plots`.",
)
@_typing(
    "--max-suggestions",
    type=click.IntRange(1, MAX_SUGGESTIONS),
    default=3,
    show_default=True,
    help="Suggestions shown before each key.",
)
@_typing(
    "--letter-case",
    type=click.Choice([case.value for case in LetterCase]),
    default=LetterCase.AS_TYPED.value,
    show_default=True,
    help="as-typed keeps the case of typed letters; truecase writes words in their usual case.",
)
@_typing(
    "--hide-rejected/--show-rejected",
    default=True,
    show_default=True,
    help="Hide words already shown for a shorter prefix of the same word.",
)
@_typing(
    "--continuous-cache",
    type=click.FloatRange(0, MAX_CACHE_WEIGHT),
    default=0.0,
    help="Weight of a continuous cache over the message.",
)
@click.option(
    "--compare",
    type=BUNDLE,
    nargs=2,
    metavar="OLD NEW",
    help="With --text or --keystroke-savings: compare two models, each a bundle's folder or name, "
    "by a paired bootstrap over lines.",
)
@model_options
@json_option
def evaluate(
    text: Path | None,
    no_punctuation: bool,
    no_top: bool,
    cloze_tests: Path | str | None,
    typing: Path | None,
    max_suggestions: int,
    letter_case: str,
    hide_rejected: bool,
    continuous_cache: float,
    slip_file: Path | None,
    suite: str | None,
    data: Path | None,
    plot: Path | None,
    compare: tuple[Path, Path] | None,
    model: Path | None,
    server: ServerConnection | None,
    as_json: bool,
) -> None:
    """Measure a model on a file, plain, .gz or .xz.

    Each line is scored as a separate text of any length. Perplexities are per word, per token and
    per character, including the end of each text. To compare languages or tokenizers, use
    perplexity per character or bits per byte.

    \b
    wordgate evaluate --text mails.txt
    wordgate evaluate --cloze builtin
    wordgate evaluate --keystroke-savings chats.txt --max-suggestions 3
    wordgate evaluate --typo-correction chats.txt
    wordgate evaluate --suite blimp --data blimp/data --plot blimp.png
    wordgate evaluate --suite pairs --data mine.tsv
    wordgate evaluate --compare en mine --text mails.txt
    """
    _check_options(click.get_current_context())
    if plot:
        check_picture(plot)
    options = Options(
        max_suggestions=max_suggestions,
        letter_case=LetterCase(letter_case),
        hide_rejected=hide_rejected,
        continuous_cache=ContinuousCache(continuous_cache) if continuous_cache else None,
    )
    say(f"evaluating {text or typing or slip_file or data or f'cloze tests: {cloze_tests}'}")
    if compare:
        compared = _compare(compare, text, not no_punctuation, typing, options)
        _report_comparison(compared, as_json)
        return
    pairs = SUITES[suite].read(data) if suite and data else []
    with (
        connected_model(model, server, priority="batch") as opened,
        counted(opened) as language_model,
    ):
        if cloze_tests == _BUILTIN:
            _warn_of_language(opened)
        if suite:
            _report_suite(suite, minimal_pairs.evaluate(language_model, pairs), plot, as_json)
            return
        if text:
            measured = perplexity.evaluate_file(
                language_model, text, not no_punctuation, not no_top
            )
            figures = {k: v for k, v in asdict(measured).items() if v is not None}
        elif typing:
            figures = _savings(keystroke_savings.measure_file(language_model, typing, options))
        elif slip_file:
            figures = _corrections(typo_correction.measure_file(language_model, slip_file))
        else:
            figures = _questions(language_model, cloze_tests)
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False))
    else:
        print_table(figures_table(figures))


def _check_options(context: click.Context) -> None:
    """Raise `UsageError` unless one measure is chosen, and each option belongs to it."""
    chosen = context.params
    measures = {
        "text": "--text",
        "typing": "--keystroke-savings",
        "slip_file": "--typo-correction",
        "suite": "--suite",
        "cloze_tests": "--cloze",
    }
    if sum(bool(chosen[name]) for name in measures) != 1:
        problem = "exactly one of these is required"
        raise click.UsageError(f"{', '.join(measures.values())}: {problem}")
    if chosen["no_punctuation"] and not chosen["text"]:
        raise click.UsageError("--no-punctuation: requires --text")
    if chosen["no_top"] and not chosen["text"]:
        raise click.UsageError("--no-top: requires --text")
    _check_comparison(chosen)
    if not chosen["typing"]:
        _refuse_options_of(_TYPING, "--keystroke-savings", context)
    if not chosen["suite"]:
        _refuse_options_of(_SUITE, "--suite", context)
    elif not chosen["data"]:
        problem = "requires --data, the file or folder of its pairs"
        raise click.UsageError(f"--suite {chosen['suite']}: {problem}")


def _check_comparison(chosen: dict[str, Any]) -> None:
    """Raise `UsageError` for options that `--compare` does not use."""
    if not chosen["compare"]:
        return
    if not chosen["text"] and not chosen["typing"]:
        raise click.UsageError("--compare: requires --text or --keystroke-savings")
    if chosen["model"] or chosen["server"]:
        raise click.UsageError("--compare: names both models; remove --model and --server")
    if chosen["no_top"]:
        raise click.UsageError("--no-top: remove it; --compare never measures top1 and top3")


def _compare(
    bundles: tuple[Path, Path],
    text: Path | None,
    keep_punctuation: bool,
    typing: Path | None,
    options: Options,
) -> Compared:
    """Compare two models by perplexity on a text, or by keystroke savings on messages."""
    old, new = map(_version, bundles)
    if text:
        lines = [line for _, line in read_lines(text)]
        texts = [
            _measured(bundle, lambda m: perplexity.surprisals(m, lines, keep_punctuation, text))
            for bundle in bundles
        ]
        return Compared(old, new, compare_texts(*texts), "texts")
    messages = keystroke_savings.read_messages(typing or Path())
    savings = [
        _measured(bundle, lambda m: keystroke_savings.measure_each(m, messages, options))
        for bundle in bundles
    ]
    return Compared(old, new, compare_messages(*savings), "messages")


def _version(bundle: Path) -> ModelVersion:
    manifest = read_manifest(bundle)
    return ModelVersion(manifest.name, str(manifest.version), manifest.precision)


def _measured(bundle: Path, measure: Callable[[LanguageModel], list[T]]) -> list[T]:
    """Open a bundle and measure it."""
    with connected_model(bundle, None) as opened, counted(opened) as language_model:
        return measure(language_model)


def _report_comparison(compared: Compared, as_json: bool) -> None:
    """Print a comparison as JSON or as a table."""
    if as_json:
        click.echo(json.dumps(comparison_document(compared), ensure_ascii=False))
    else:
        print_table(comparison_table(compared))


def _report_suite(name: str, result: PairsResult, plot: Path | None, as_json: bool) -> None:
    """Print a suite's result as JSON or as a table, and draw it."""
    if as_json:
        click.echo(json.dumps(SUITES[name].document(result), ensure_ascii=False))
    else:
        print_table(suite_table(name, result))
    if plot:
        draw_suite(name, result, plot)


def _warn_of_language(opened: GenerativeModel) -> None:
    """Warn if the package's questions are not in the language of the model."""
    language = language_of(opened)
    if not cloze.are_in(language):
        say(
            "--cloze builtin: the questions are in English, but the model's language is "
            f"{language}; use a file of your own"
        )


def _refuse_options_of(section: str, flag: str, context: click.Context) -> None:
    """Raise `UsageError` for an option of a section without the flag that it depends on."""
    for parameter in context.command.params:
        if getattr(parameter, "section", None) == section and parameter.name:
            source = context.get_parameter_source(parameter.name)
            if source is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"{parameter.opts[0]}: requires {flag}")


def _savings(savings: Savings) -> dict[str, object]:
    return {
        "keystroke_savings": savings.rate,
        "keystroke_savings_case_insensitive": savings.rate_ignoring_case,
        "recall": {"top1": savings.recall(1), "top3": savings.recall(3)},
        "before_first_letter": savings.before_first_letter / max(1, savings.words),
        "words": savings.words,
        "characters": savings.characters,
    }


def _corrections(corrections: Corrections) -> dict[str, object]:
    """Return the counts as fractions of the words."""
    words = max(1, corrections.words)
    return {
        "words": corrections.words,
        "put_right": corrections.put_right / words,
        "offered_first_three": corrections.offered / words,
        "spoilt": corrections.spoilt / words,
    }


def _questions(model: LanguageModel, path: Path | str | None) -> dict[str, object]:
    asked_questions = cloze.read(path) if isinstance(path, Path) else cloze.own_questions()
    answered = cloze.ask(model, asked_questions)
    wrong = [f"{a.question.context} … {a.question.good}" for a in answered if not a.is_right]
    return {
        "questions": len(answered),
        "right": sum(a.is_right for a in answered),
        "top1": sum(a.rank == 0 for a in answered),
        "top3": sum(a.in_top for a in answered),
        "wrong": wrong,
    }
