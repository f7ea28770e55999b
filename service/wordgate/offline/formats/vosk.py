"""Reader of vosk results with alternatives (`SetMaxAlternatives`), pretty-printed or JSON lines.

    {"alternatives": [{"confidence": 212.4, "text": "the sun was out"}, …]}

The confidence is a total of scores (natural logarithms, higher is better); it becomes
`acoustic_log_prob`. An alternative may have its words with their times in `result`. A file is a
recording with one or more results. Each result is an utterance, named after the file. Other results
(`partial`, a single `text`) have nothing to rank and are skipped.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wordgate.errors import InvalidFile, InvalidInput
from wordgate.offline.formats import folders
from wordgate.offline.lines import decode, file_format, json_problem, raw_lines, uncompressed
from wordgate.offline.reading_report import Reading, counting, rankable
from wordgate.offline.utterances import Utterance
from wordgate.scoring.hypothesis import Hypothesis, TimeSpan
from wordgate.scoring.score_weights import ACOUSTIC
from wordgate.text.normalization import require_unicode

_WITHOUT = "no alternatives; enable them with SetMaxAlternatives"


def read(path: Path, reading: Reading | None = None) -> Iterator[Utterance | InvalidFile]:
    """Yield the utterances of a file, or of all files in a folder, sorted by name.

    Yields an `InvalidFile` in place of an invalid utterance.
    """
    reading = reading or Reading.of_recogniser()
    for each in _files(path, reading) if path.is_dir() else [path]:
        try:
            text = "\n".join(decode(each, number, raw) for number, raw in raw_lines(each))
            results = list(_results(each, text))
        except InvalidFile as error:
            yield error
            continue
        reading.use(each.name)
        stem = uncompressed(each).stem
        with_alternatives = [found for found in results if "alternatives" in found[1]]
        others = len(results) - len(with_alternatives)
        if others:
            reading.skip(f"{counting(others, 'result')} of {each.name}", _WITHOUT)
        for number, (line, result) in enumerate(with_alternatives, 1):
            name = stem if len(with_alternatives) == 1 else f"{stem}-{number}"
            try:
                yield _utterance(name, each, line, result, reading)
            except InvalidInput as error:
                yield InvalidFile(each, str(error), line)


def _files(folder: Path, reading: Reading) -> Iterator[Path]:
    """Yield the files of a folder with a JSON suffix; skip others, such as recordings."""
    for path in folders.files(folder, reading):
        if file_format(path) in {".json", ".jsonl"}:
            yield path
        else:
            reading.skip(path.name, "not JSON, judging by the name")


def _results(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield concatenated or listed JSON objects, each with the line on which it begins."""
    decoder = json.JSONDecoder()
    place, line, counted = 0, 1, 0
    while True:
        while place < len(text) and text[place].isspace():
            place += 1
        line += text.count("\n", counted, place)
        counted = place
        if place == len(text):
            return
        try:
            document, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            line += text.count("\n", counted, error.pos)
            problem = f"is not JSON: {json_problem(error)}"
            if text.startswith("{'", place):
                problem = "is a printed Python dict; write the output of Result(), not json.loads"
            raise InvalidFile(path, problem, line) from None
        except (ValueError, RecursionError):
            raise InvalidFile(path, "exceeds the JSON parser's limits", line) from None
        for each in document if isinstance(document, list) else [document]:
            if not isinstance(each, dict):
                raise InvalidFile(path, "is not a vosk result: not a JSON object", line)
            yield line, each


def _utterance(
    name: str, path: Path, line: int, result: dict[str, Any], reading: Reading
) -> Utterance:
    alternatives = result["alternatives"]
    if not isinstance(alternatives, list) or not alternatives:
        raise InvalidInput("alternatives", "is not a list with at least one alternative")
    heard = [
        reading.heard(_hypothesis(f"alternatives[{index}]", each))
        for index, each in enumerate(alternatives)
    ]
    return Utterance(name, heard, path, line)


def _hypothesis(place: str, alternative: Any) -> Hypothesis:
    if not isinstance(alternative, dict) or not isinstance(alternative.get("text"), str):
        raise InvalidInput(place, 'is not an object with a "text"')
    text, confidence = alternative["text"].strip(), alternative.get("confidence")
    require_unicode(text, f"{place}.text")
    try:
        if isinstance(confidence, bool) or not isinstance(confidence, int | float):
            raise ValueError
        score = rankable(float(confidence))
    except (ValueError, OverflowError):
        raise InvalidInput(f"{place}.confidence", "is not a finite number") from None
    return Hypothesis(text, {ACOUSTIC: score}, _times(text, alternative.get("result")))


def _times(text: str, words: Any) -> Sequence[TimeSpan]:
    """Return the times of the words, or none unless all words have times."""
    if not isinstance(words, list) or len(words) != len(text.split()):
        return ()
    try:
        return [TimeSpan(float(word["start"]), float(word["end"])) for word in words]
    except (TypeError, KeyError, ValueError, OverflowError):
        return ()
