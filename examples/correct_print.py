"""Correct what tesseract reads: python examples/correct_print.py FILE [--server HOST:PORT].

FILE is an image of English print, or JSON lines of what was read: {"words": [{"text": …,
"confidence": 0–100, "symbols": [[["a", 97.4], ["o", 72.8]], …]}], "reference": …}, where `symbols`
and `reference` may be missing. For each word `print_confusions` proposes what may have been
written; a running server chooses, line by line. Error rates against references, if there are any,
go to standard error.
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
from wordgate.scoring.weighting import Weighting

CHANNEL = "channel_log_prob"
LM_WEIGHT, WORD_BONUS = 0.65, 2.0
"""As found by `measure_print` on the set of docs/scoring.md."""

BEST = SearchBounds(max_transcripts=1)


@dataclass(frozen=True)
class ReadLine:
    """A line as it was read; `first` and `last` of a text or not; a reference or none.

    `continues`: its first word is the rest of one that a hyphen divides at the end of the line
    before.
    """

    words: Sequence[ReadWord]
    first: bool = True
    last: bool = True
    reference: str | None = None
    continues: bool = False

    @property
    def text(self) -> str:
        """What was read."""
        return " ".join(word.text for word in self.words)

    def slots(self, vocabulary: Vocabulary) -> list[dict[str, float]]:
        """What may have been written for each word, with its cost."""
        end = len(self.words) - 1
        return [
            {word.text: 0.0}
            if (self.continues and place == 0) or is_left_alone(word, line_end=place == end)
            else candidates(
                word,
                vocabulary,
                first=self.first and place == 0,
                last=self.last and place == end,
            )
            for place, word in enumerate(self.words)
        ]


def main() -> None:
    """Read, correct, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE")
    add_server_options(parser)
    parser.add_argument("--psm", default="3", help="tesseract's page segmentation: 7 is one line")
    parser.add_argument("--lm-weight", type=float, default=LM_WEIGHT)
    parser.add_argument("--word-bonus", type=float, default=WORD_BONUS)
    given = parser.parse_args()
    weighting = Weighting(given.lm_weight, given.word_bonus, {CHANNEL: 1.0})
    vocabulary = Vocabulary.of_bundle(bundled_model_path())
    lines = list(read_file(given.file, given.psm))
    corrected: list[str] = []
    with asked_server(given).connect() as wordgate:
        for line in lines:
            history = "" if line.first else " ".join(corrected[-3:])
            corrected.append(
                choose(wordgate, line.slots(vocabulary), weighting, history, line.last)
            )
            print(corrected[-1], flush=True)
    report(lines, corrected)


def choose(
    wordgate: Client,
    slots: Sequence[Mapping[str, float]],
    weighting: Weighting,
    history: str = "",
    last: bool = True,
) -> str:
    """The text that the channel and the language model like best together."""
    if not slots:
        return ""
    network = ConfusionNetwork(
        [[Alternative(text, {CHANNEL: -cost}) for text, cost in slot.items()] for slot in slots]
    )
    answer = wordgate.rescore(history, network, weighting, count_eos=last, bounds=BEST)
    return answer.ranking.transcripts[0].text


def read_file(file: Path, psm: str = "3") -> Iterator[ReadLine]:
    """The lines of a file of JSON lines, or of an image as tesseract reads it."""
    if file.suffix == ".jsonl":
        with file.open(encoding="utf-8") as opened:
            for number, line in enumerate(opened, 1):
                yield _read_line(line, f"{file}, line {number}")
    else:
        yield from read_image(file, psm)


def read_image(image: Path, psm: str) -> Iterator[ReadLine]:
    """The lines of an image, with tesseract's choices for each character (from its hOCR)."""
    if shutil.which("tesseract") is None:
        sys.exit(
            "correct_print: needs tesseract; on Debian and Ubuntu: apt-get install tesseract-ocr"
        )
    command = ["tesseract", str(image), "-", "--psm", psm, "-c", "lstm_choice_mode=2", "hocr"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().partition("\n")[0]
        sys.exit(f"correct_print: tesseract cannot read {image}: {said}")
    is_divided = False
    for paragraph in _of_class(ET.fromstring(done.stdout), "ocr_par"):
        found = [[_hocr_word(word) for word in _of_class(line, "ocrx_word")] for line in paragraph]
        found = [[word for word in words if word.text] for words in found]
        found = [words for words in found if words]
        for number, words in enumerate(found):
            yield ReadLine(words, number == 0, number == len(found) - 1, continues=is_divided)
            is_divided = is_left_alone(words[-1], line_end=True) and words[-1].text[-1] in HYPHENS


def report(lines: Sequence[ReadLine], corrected: Sequence[str]) -> None:
    """Print error rates before and after, of the lines that have references."""
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
    """Errors over the length of the references. Straight and curly quotes are alike."""
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
        sys.exit(f"correct_print: {place}: is not JSON with words, their text and confidence")


def _word(document: Mapping[str, Any]) -> ReadWord:
    choices = [{text: float(sure) for text, sure in each} for each in document.get("symbols", ())]
    return _aligned(document["text"], float(document["confidence"]), choices)


def _hocr_word(word: ET.Element) -> ReadWord:
    groups = [list(group) for group in word if (group.get("id") or "").startswith("lstm_choices")]
    choices = [{choice.text or "": _number(choice, "x_confs") for choice in g} for g in groups]
    return _aligned((word.text or "").strip(), _number(word, "x_wconf"), choices)


def _aligned(text: str, confidence: float, choices: Sequence[Mapping[str, float]]) -> ReadWord:
    """The word, without its choices where they are not those of its characters."""
    fits = len(choices) == len(text) and all(map(lambda each, own: own in each, choices, text))
    return ReadWord(text, confidence, choices if fits else ())


def _of_class(element: ET.Element, name: str) -> list[ET.Element]:
    return [each for each in element.iter() if each.get("class") == name]


def _number(element: ET.Element, name: str) -> float:
    """A number of a title like `bbox 0 0 10 12; x_wconf 93`."""
    properties = (part.split() for part in (element.get("title") or "").split(";"))
    return next(float(values[0]) for key, *values in properties if key == name)


if __name__ == "__main__":
    try:
        main()
    except (WordgateError, OSError, ET.ParseError) as error:
        sys.exit(f"correct_print: {error}")
