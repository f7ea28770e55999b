"""Options for the score weights and boosts of rescoring."""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from wordgate.cli.command import SectionOption
from wordgate.cli.options.paths import INPUT_FILE
from wordgate.errors import InvalidFile, unreadable
from wordgate.offline.utterances import Utterance
from wordgate.scoring.score_weights import Boost, ScoreWeights
from wordgate.text.cooperative_steps import finish

F = TypeVar("F", bound=Callable[..., Any])

_option = partial(click.option, cls=SectionOption, section="Weights")

_WEIGHT = "NAME=NUMBER", "am=0.5"
_BOOST = "PHRASE=NUMBER", "Port Ellen=3"


def weight_options(command: F) -> F:
    """Add the options `--lm-weight` to `--weights-file`."""
    options: list[Callable[[Any], Any]] = [
        _option("--lm-weight", type=float, help="Weight of the model's log-probability.  [1]"),
        _option("--word-insertion-bonus", type=float, help="Added to the total per word.  [0]"),
        _option(
            "--weight",
            "weights",
            multiple=True,
            metavar=_WEIGHT[0],
            help="Weight of an input score.  [acoustic_log_prob=1, others 0]",
        ),
        _option(
            "--boost",
            "boosts",
            multiple=True,
            metavar=_BOOST[0],
            help=f"Added per occurrence of a phrase, as in {_BOOST[1]!r}.",
        ),
        _option(
            "--posterior-scale",
            type=float,
            help="Divisor of the totals before posteriors are computed.  [lm weight, at least 1]",
        ),
        _option(
            "--weights-file",
            "tuned",
            type=INPUT_FILE,
            help="Read the defaults of these options from the output of `wordgate tune --json`.",
        ),
    ]
    decorated: Any = command
    for option in reversed(options):
        decorated = option(decorated)
    return cast(F, decorated)


def parse_weights(
    lm_weight: float | None,
    word_insertion_bonus: float | None,
    weights: tuple[str, ...],
    boosts: tuple[str, ...],
    posterior_scale: float | None,
    tuned: Path | None,
) -> ScoreWeights:
    """Return the score weights from the options, which override the values from --weights-file."""
    base = _read_tuned(tuned) if tuned else ScoreWeights()
    score_weights = ScoreWeights(
        base.lm_weight if lm_weight is None else lm_weight,
        base.word_insertion_bonus if word_insertion_bonus is None else word_insertion_bonus,
        {**base.weights, **dict(parse_assignment("--weight", each, *_WEIGHT) for each in weights)},
        [Boost(*parse_assignment("--boost", each, *_BOOST)) for each in boosts],
        base.posterior_scale if posterior_scale is None else posterior_scale,
    )
    finish(score_weights.prepare())  # reject an invalid boost before reading any utterance
    return score_weights


def parse_assignment(option: str, given: str, form: str, example: str) -> tuple[str, float]:
    """Parse an option value of the form NAME=NUMBER.

    Raises a `UsageError` that shows the option's own form and example.
    """
    name, separator, number = given.rpartition("=")
    try:
        if not separator or not name:
            raise ValueError
        return name, float(number)
    except ValueError:
        problem = f"{option} {given!r}: is not {form}, as in {option} {shlex.quote(example)}"
        raise click.UsageError(problem, click.get_current_context(silent=True)) from None


def _read_tuned(path: Path) -> ScoreWeights:
    try:
        document = json.loads(path.read_text("utf-8"))
        return ScoreWeights(
            float(document["lm_weight"]),
            float(document["word_insertion_bonus"]),
            {str(name): float(weight) for name, weight in document["weights"].items()},
            (),
            float(document["posterior_scale"]),
        )
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise InvalidFile(path, "is not output of `wordgate tune --json`") from None


def announced(
    utterances: Iterator[Utterance | InvalidFile], score_weights: ScoreWeights
) -> Iterator[Utterance | InvalidFile]:
    """Yield the utterances; warn on standard error if no score of the first has a weight."""
    first = True
    for utterance in utterances:
        if first and isinstance(utterance, Utterance):
            first = False
            names = utterance.score_names
            if names and not any(score_weights.weight_of(name) for name in names):
                click.echo(f"wordgate: warning: {_unweighted(names)}", err=True)
        yield utterance


def weights_report(
    names: Iterable[str], score_weights: ScoreWeights, any_candidate: bool
) -> Iterator[str]:
    """Yield lines that list the weight of each score and the scores without a weight."""
    weights = {name: score_weights.weight_of(name) for name in names}
    weighed = [f"{name} {weight:g}" for name, weight in weights.items() if weight]
    without = [name for name, weight in weights.items() if not weight]
    if not weights and any_candidate:
        yield "weights: no candidate has a score; ranking by the language model alone"
    if weighed:
        yield f"weights: {', '.join(weighed)}; lm_weight {score_weights.lm_weight:g}"
    if weights and not weighed:
        yield f"WARNING: {_unweighted(weights)}"
    elif without:
        yield f"zero weight: {', '.join(without)}; set a weight with --weight NAME=NUMBER"


def _unweighted(names: Iterable[str]) -> str:
    listed = list(names)
    return (
        "all score weights are 0, ranking by the language model alone: the input has the scores "
        f"{', '.join(listed)}; set a weight, as in --weight {listed[0]}=1"
    )
