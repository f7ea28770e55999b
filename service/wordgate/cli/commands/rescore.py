"""`wordgate rescore`: rescore a recogniser's hypotheses with the language model."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click

from wordgate.cli.command import Command
from wordgate.cli.options.model import connected_model, json_option, model_document, model_options
from wordgate.cli.options.output import implied_format, output_options, results
from wordgate.cli.options.server import ServerConnection
from wordgate.cli.options.source import (
    Source,
    counting_of,
    counting_options,
    search_options,
    source_options,
)
from wordgate.cli.options.weights import announced, parse_weights, weight_options, weights_report
from wordgate.engine.results import RescoringResult
from wordgate.errors import InvalidFile
from wordgate.evaluation.error_rate import Counting, Normalise, written_otherwise
from wordgate.offline.formats import transcript_writers
from wordgate.offline.pipelining import DEFAULT_IN_FLIGHT
from wordgate.offline.utterances import Utterance, ranked
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import Transcript, WordConfidence
from wordgate.scoring.score_weights import ACOUSTIC

_TRANSCRIPT_WRITERS = {
    "kaldi": transcript_writers.kaldi,
    "trn": transcript_writers.trn,
    "ctm": transcript_writers.ctm,
}


@click.command(cls=Command)
@source_options
@weight_options
@search_options
@click.option("--no-eos", is_flag=True, help="Exclude the end-of-text token.")
@click.option(
    "--output-format",
    type=click.Choice(["jsonl", *_TRANSCRIPT_WRITERS]),
    help="Output format; implied by --json and by the name of --output.  "
    "[utterance, tab, best transcript]",
)
@output_options
@counting_options
@model_options
@json_option
def rescore(
    source: Source,
    lm_weight: float | None,
    word_insertion_bonus: float | None,
    weights: tuple[str, ...],
    boosts: tuple[str, ...],
    posterior_scale: float | None,
    tuned: Path | None,
    max_transcripts: int | None,
    search_beam: int,
    recombination_words: int,
    max_expansions: int,
    no_eos: bool,
    output_format: str | None,
    output: Path | None,
    skip_invalid: bool,
    normalise: str,
    unit: str,
    model: Path | None,
    server: ServerConnection | None,
    as_json: bool,
) -> None:
    """Rerank each utterance's candidates by their scores and the model's log-probability.

    Input lines: {"utt": …, "candidates": [{"text": …, "acoustic_log_prob": …}, …]}. Other numbers
    of a candidate are scores too; set their weights with --weight. Prints the best transcript of
    each utterance, or with --json the whole ranking. If lines have a "reference", prints the error
    rate on standard error.

    \b
    wordgate rescore --input nbest.jsonl --lm-weight 8 --word-insertion-bonus -10
    wordgate rescore --input lattices --format slf --lm-weight 10 --word-insertion-bonus -14
    wordgate rescore --input nbest.jsonl --weights-file tuned.json --json
    """
    score_weights = parse_weights(
        lm_weight, word_insertion_bonus, weights, boosts, posterior_scale, tuned
    )
    bounds = SearchBounds(max_transcripts, search_beam, recombination_words, max_expansions)
    output_format = output_format or ("jsonl" if as_json else implied_format(output))
    in_json = output_format == "jsonl"
    lines = _json if in_json else _TRANSCRIPT_WRITERS.get(output_format or "", _tabbed)
    rates = _Rates(counting_of(normalise, unit))
    in_flight = 1 if source.is_standard_input else DEFAULT_IN_FLIGHT
    with (
        results(output, source.path, skip_invalid, tuned=tuned and score_weights) as out,
        connected_model(
            model, server, priority="batch" if in_flight > 1 else "realtime"
        ) as language_model,
    ):
        utterances = announced(source.read(out.read), score_weights)
        records = out.rest_of(utterances, source.path)
        for outcome in ranked(
            language_model, records, score_weights, not no_eos, in_flight, bounds
        ):
            if isinstance(outcome, InvalidFile):
                out.refuse(outcome, in_json)
                continue
            utterance, answer = outcome
            try:
                written_lines = list(lines(utterance, answer))
            except InvalidFile as error:
                out.refuse(error, in_json)
            else:
                out.write(written_lines, answer.model, rates.of(utterance, answer))
    reading = source.reading
    weight_lines = weights_report(reading.score_names, score_weights, reading.utterances > 0)
    for line in (*source.report(), *weight_lines):
        click.echo(line, err=True)
    if out.sums.get("units"):
        click.echo(rates.report(out.sums), err=True)
    out.end(source.path)


def document(utterance: Utterance, answer: RescoringResult) -> dict[str, object]:
    """Return a ranking as a JSON document."""
    ranking = answer.ranking
    return {
        "utt": utterance.utt,
        "best": ranking.transcripts[0].text,
        "ranking": [_transcript(found) for found in ranking.transcripts],
        "words": [_word(word) for word in ranking.words],
        "differences": [
            {
                "words": [found.start, found.end],
                "runner_up_words": [found.runner_up_start, found.runner_up_end],
            }
            for found in ranking.differences
        ],
        **({"history": utterance.history} if utterance.history else {}),
        **({"reference": utterance.reference} if isinstance(utterance.reference, str) else {}),
        "exact": ranking.exact,
        "counted_eos": answer.counted_eos,
        "model": model_document(answer.model),
    }


def _json(utterance: Utterance, answer: RescoringResult) -> Iterator[str]:
    yield json.dumps(document(utterance, answer), ensure_ascii=False)


def _tabbed(utterance: Utterance, answer: RescoringResult) -> Iterator[str]:
    yield f"{utterance.utt}\t{answer.ranking.transcripts[0].text}"


def _transcript(transcript: Transcript) -> dict[str, object]:
    return {
        "text": transcript.text,
        "index": transcript.index,
        "total": transcript.total,
        "acoustic": transcript.scores.get(ACOUSTIC),
        "log_prob": transcript.log_prob,
        "posterior": transcript.posterior,
        "scores": dict(sorted(transcript.scores.items())),
        "boost": transcript.boost,
        "merged_path_log_weight": transcript.merged_path_log_weight,
        "word_count": transcript.word_count,
        "token_count": transcript.token_count,
    }


def _word(word: WordConfidence) -> dict[str, object]:
    document: dict[str, object] = {"text": word.text, "confidence": word.confidence}
    if word.time is not None:
        document["start_seconds"] = word.time.start_seconds
        document["end_seconds"] = word.time.end_seconds
    return document


class _Rates:
    """Error counts of the first and of the best candidates, summed over utterances."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._basic = replace(counting, normalise=Normalise.BASIC)

    def of(self, utterance: Utterance, answer: RescoringResult) -> dict[str, int]:
        """Return the counts of one utterance; empty without a reference."""
        if utterance.reference is None:
            return {}
        best = answer.ranking.transcripts[0].text
        first = utterance.hypotheses[0].text if utterance.hypotheses else best
        errors = self._counting.errors([utterance.reference] * 2, [first, best])
        return {
            "errors_of_first": errors[0],
            "errors_of_best": errors[1],
            "units": self._counting.length(utterance.reference),
            "basic_errors": self._basic.errors([utterance.reference], [best])[0],
            "basic_units": self._basic.length(utterance.reference),
            "lattices": int(utterance.lattice is not None),
        }

    def report(self, sums: Mapping[str, int]) -> str:
        """Return a line with the error rates."""
        first, best = (sums[f"errors_of_{each}"] / sums["units"] for each in ("first", "best"))
        rates = f"{best:.2%} for the best candidates"
        if not sums["lattices"]:
            rates = f"{first:.2%} for the first candidates, {rates}"
        basic = sums.get("basic_errors", 0) / max(1, sums.get("basic_units", 0))
        if written_otherwise(best, basic):
            rates += f"; {basic:.2%} with --normalise basic: case or punctuation differs"
        return f"{self._counting.unit} error rate: {rates}"
