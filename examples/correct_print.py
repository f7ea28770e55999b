"""Correct tesseract's OCR output: python examples/correct_print.py FILE [--server HOST:PORT].

FILE is an image of English print, or JSON lines of recognised text: {"words": [{"text": …,
"confidence": 0–100, "symbols": [[["a", 97.4], ["o", 72.8]], …]}], "reference": …}, where `symbols`
and `reference` are optional. `print_confusions` proposes candidates for each word, and a running
server chooses among them line by line. Error rates against references, if any, are written to
standard error.
"""

import argparse
import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asked_server import add_server_options, asked_server
from print_confusions import HYPHENS, QUOTES, ReadWord, Vocabulary, candidates, is_left_alone
from wordgate.bundle.bundled_model import bundled_model_path
from wordgate.client import Client
from wordgate.errors import WordgateError
from wordgate.evaluation.error_rate import Counting, Unit
from wordgate.scoring.lattice import Alternative, ConfusionNetwork
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import DEFAULT_SEARCH_BOUNDS, Transcript
from wordgate.scoring.score_weights import ScoreWeights

CHANNEL = "channel_log_prob"
LM_WEIGHT, WORD_INSERTION_BONUS = 0.65, 2.0
"""Tuned by `measure_print` on the data set of docs/scoring.md."""

BEST = SearchBounds(max_transcripts=1)


@dataclass(frozen=True)
class ReadLine:
    """A recognised line of text, with its reference if known.

    `first` and `last`: whether it is the first or last line of its text. `continues`: whether its
    first word is the second part of a word hyphenated at the end of the previous line.
    """

    words: Sequence[ReadWord]
    first: bool = True
    last: bool = True
    reference: str | None = None
    continues: bool = False

    @property
    def text(self) -> str:
        """The recognised text."""
        return " ".join(word.text for word in self.words)

    def slots(self, vocabulary: Vocabulary) -> list[dict[str, float]]:
        """Return the candidates for each word with their costs."""
        end = len(self.words) - 1
        return [
            {word.text: 0.0}
            if (self.continues and index == 0) or is_left_alone(word, line_end=index == end)
            else candidates(
                word,
                vocabulary,
                first=self.first and index == 0,
                last=self.last and index == end,
            )
            for index, word in enumerate(self.words)
        ]


def main() -> None:
    """Read the file, correct each line and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE")
    add_server_options(parser)
    parser.add_argument(
        "--psm", default="3", help="tesseract's page segmentation mode; 7 is a single line"
    )
    parser.add_argument("--lm-weight", type=float, default=LM_WEIGHT)
    parser.add_argument("--word-insertion-bonus", type=float, default=WORD_INSERTION_BONUS)
    options = parser.parse_args()
    score_weights = ScoreWeights(options.lm_weight, options.word_insertion_bonus, {CHANNEL: 1.0})
    vocabulary = Vocabulary.of_bundle(bundled_model_path())
    lines = list(read_file(options.file, options.psm))
    corrected: list[str] = []
    with asked_server(options).connect() as wordgate:
        for line in lines:
            history = "" if line.first else " ".join(corrected[-3:])
            corrected.append(
                choose(wordgate, line.slots(vocabulary), score_weights, history, line.last)
            )
            print(corrected[-1], flush=True)
    report(lines, corrected)


def choose(
    wordgate: Client,
    slots: Sequence[Mapping[str, float]],
    score_weights: ScoreWeights,
    history: str = "",
    last: bool = True,
) -> str:
    """Return the best text under the noisy channel and the language model combined."""
    ranked = rank(wordgate, slots, score_weights, history, last, BEST)
    return ranked[0].text if ranked else ""


def rank(
    wordgate: Client,
    slots: Sequence[Mapping[str, float]],
    score_weights: ScoreWeights,
    history: str = "",
    last: bool = True,
    bounds: SearchBounds = DEFAULT_SEARCH_BOUNDS,
) -> Sequence[Transcript]:
    """Return the texts that the search finds, best first."""
    if not slots:
        return []
    network = ConfusionNetwork(
        [[Alternative(text, {CHANNEL: -cost}) for text, cost in slot.items()] for slot in slots]
    )
    answer = wordgate.rescore(history, network, score_weights, count_eos=last, bounds=bounds)
    return answer.ranking.transcripts


def read_file(file: Path, psm: str = "3") -> Iterator[ReadLine]:
    """Yield the lines of a JSON lines file, or of an image recognised by tesseract."""
    if file.suffix == ".jsonl":
        with file.open(encoding="utf-8") as opened:
            for number, line in enumerate(opened, 1):
                yield _read_line(line, f"{file}, line {number}")
    else:
        yield from read_image(file, psm)


def read_image(image: Path, psm: str) -> Iterator[ReadLine]:
    """Yield the lines of an image with tesseract's alternatives per character (from hOCR)."""
    if shutil.which("tesseract") is None:
        sys.exit(
            "correct_print: needs tesseract; on Debian and Ubuntu: apt-get install tesseract-ocr"
        )
    command = ["tesseract", str(image), "-", "--psm", psm, "-c", "lstm_choice_mode=2", "hocr"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        message = done.stderr.strip().partition("\n")[0]
        sys.exit(f"correct_print: tesseract cannot read {image}: {message}")
    is_divided = False
    for paragraph in _of_class(ET.fromstring(done.stdout), "ocr_par"):
        found = [[_hocr_word(word) for word in _of_class(line, "ocrx_word")] for line in paragraph]
        found = [[word for word in words if word.text] for words in found]
        found = [words for words in found if words]
        for number, words in enumerate(found):
            yield ReadLine(words, number == 0, number == len(found) - 1, continues=is_divided)
            is_divided = is_left_alone(words[-1], line_end=True) and words[-1].text[-1] in HYPHENS


def report(lines: Sequence[ReadLine], corrected: Sequence[str]) -> None:
    """Print the error rates before and after correction, for lines with references."""
    known = [
        (line.reference, line.text, text)
        for line, text in zip(lines, corrected, strict=True)
        if line.reference
    ]
    if not known:
        return
    references, before, after = (list(column) for column in zip(*known, strict=True))
    for name, unit in (("characters", Unit.CHAR), ("words", Unit.WORD)):
        rates = (error_rate(references, texts, unit) for texts in (before, after))
        print("errors in {}: {:.2%} before, {:.2%} after".format(name, *rates), file=sys.stderr)


def error_rate(references: Sequence[str], texts: Sequence[str], unit: Unit) -> float:
    """Return the error rate, treating straight and curly quotes as equal."""
    counting = Counting(unit=unit)
    references = [text.translate(QUOTES) for text in references]
    texts = [text.translate(QUOTES) for text in texts]
    return sum(counting.errors(references, texts)) / sum(map(counting.length, references))


def _read_line(line: str, place: str) -> ReadLine:
    try:
        document = json.loads(line)
        words = [_word(word) for word in document["words"]]
        return ReadLine(words, reference=document.get("reference"))
    except (ValueError, KeyError, TypeError, AttributeError):
        sys.exit(
            f'correct_print: {place}: is not JSON with "words", each with "text" and "confidence"'
        )


def _word(document: Mapping[str, Any]) -> ReadWord:
    choices = [{text: float(sure) for text, sure in each} for each in document.get("symbols", ())]
    return _aligned(document["text"], float(document["confidence"]), choices)


def _hocr_word(word: ET.Element) -> ReadWord:
    groups = [list(group) for group in word if (group.get("id") or "").startswith("lstm_choices")]
    choices = [{choice.text or "": _number(choice, "x_confs") for choice in g} for g in groups]
    return _aligned((word.text or "").strip(), _number(word, "x_wconf"), choices)


def _aligned(text: str, confidence: float, choices: Sequence[Mapping[str, float]]) -> ReadWord:
    """Return the word; drop the alternatives if they do not match its characters."""
    fits = len(choices) == len(text) and all(map(lambda each, own: own in each, choices, text))
    return ReadWord(text, confidence, choices if fits else ())


def _of_class(element: ET.Element, name: str) -> list[ET.Element]:
    return [each for each in element.iter() if each.get("class") == name]


def _number(element: ET.Element, name: str) -> float:
    """Return a property of a title such as `bbox 0 0 10 12; x_wconf 93`."""
    properties = (part.split() for part in (element.get("title") or "").split(";"))
    return next(float(values[0]) for key, *values in properties if key == name)


if __name__ == "__main__":
    try:
        main()
    except (WordgateError, OSError, ET.ParseError) as error:
        sys.exit(f"correct_print: {error}")
