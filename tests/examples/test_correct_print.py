"""Correction of tesseract's output through a real server."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
from PIL import Image, ImageDraw, ImageFont
from tests.running import RunningServer, serving

from correct_print import (
    CHANNEL,
    LM_WEIGHT,
    WORD_INSERTION_BONUS,
    ReadLine,
    choose,
    error_rate,
    read_file,
)
from measure_print import best_of, held_out, nearest
from noisy_print import print_line
from print_confusions import ReadWord, Vocabulary
from wordgate.bundle.bundled_model import bundled_model_path
from wordgate.client import Client
from wordgate.evaluation.error_rate import Unit
from wordgate.scoring.rescoring import Transcript
from wordgate.scoring.score_weights import ScoreWeights

EXAMPLE = Path(__file__).parents[2] / "examples" / "correct_print.py"
SENTENCES = [
    "I will be waiting for you at the station in the morning.",
    "Could you tell me where the nearest hospital is?",
    "The children have been playing in the garden all day.",
    "It is much better to call first and ask for a table.",
    "We would like to thank all of you for your help.",
    "She left the keys to the office on the kitchen table.",
    "There is still a little milk in the fridge if you want some.",
    "I had to walk home because the last train was late.",
]
PAGE = """\
Dr. Meyer rented room no. 12 on 3 May 1997 for $450.75
a month, i.e. about 40 % less than before. He wrote to
info@example.com and looked at https://www.example.org/
docs/3.8.1/index.html, e.g. for the opening hours (9-5).
The well-known U.S. firm Smith & Co. sold 1,250 lamps,
of which 37 were re-
turned; Mrs. O'Neil said: "That is not bad at all!"
Was it 10:45 p.m. or 11:30? Nobody knew; the trains to
St. Albans left at 7.05, 8.20 and 9.55. See pp. 12-15,
fig. 4b, and vol. 2 of the series (ISBN 0-14-028329-X).
""".splitlines()
READ = {
    "reference": "I will be there.",
    "words": [
        {"text": "|", "confidence": 40},
        {"text": "wiil", "confidence": 60, "symbols": [[["w", 99]], [["i", 98]]]},
        {"text": "be", "confidence": 96},
        {"text": "there.", "confidence": 95},
    ],
}


@pytest.fixture(scope="module")
def shipped() -> Iterator[RunningServer]:
    """A server with the bundled model."""
    with serving(None) as server:
        yield server


def test_lines_are_corrected_and_errors_counted(server: RunningServer, tmp_path: Path) -> None:
    """Each line is corrected; with references, error rates before and after are reported."""
    file = tmp_path / "read.jsonl"
    file.write_text(json.dumps(READ) + "\n" + json.dumps({"words": READ["words"]}) + "\n", "utf-8")
    done = _run(file, "--server", server.address)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    before, words = done.stderr.splitlines()
    assert before.startswith("errors in characters: 12.50% before,")
    assert words.startswith("errors in words: 50.00% before,")


def test_errors_are_reported_in_one_sentence(tmp_path: Path) -> None:
    """Missing server, tesseract or file, and an invalid line."""
    file = tmp_path / "read.jsonl"
    file.write_text(json.dumps(READ) + "\n", "utf-8")
    assert "no server answers at 127.0.0.1:1" in _told(_run(file, "--server", "127.0.0.1:1"))
    without = _run(tmp_path / "page.png", env={**os.environ, "PATH": str(tmp_path)})
    assert "apt-get install tesseract-ocr" in _told(without)
    assert "nowhere.jsonl" in _told(_run(tmp_path / "nowhere.jsonl"))
    file.write_text("{}\n", "utf-8")
    assert "read.jsonl, line 1" in _told(_run(file))


def test_the_nearest_candidates_are_found_slot_by_slot(tmp_path: Path) -> None:
    """The oracle finds the candidates nearest the reference, with extra or missing words too."""
    file = tmp_path / "read.jsonl"
    file.write_text(json.dumps(READ) + "\n", "utf-8")
    (line,) = read_file(file)
    slots = [
        {"1": 0.0, "I": 1.0},
        {"wall": 0.0, "wilt": 1.0},
        {"be": 0.0, "": 1.0},
        {"there.": 0.0},
    ]
    assert nearest(line, slots) == "I wall be there."
    assert nearest(line, [{"": 0.0, "x": 0.0}, *slots]) == "I wall be there."
    assert line.words[0] == ReadWord("|", 40.0)


def test_a_half_is_corrected_as_is_best_for_the_other(tmp_path: Path) -> None:
    """The setting tuned on one half is applied to the other half only."""
    file = tmp_path / "read.jsonl"
    file.write_text((json.dumps(READ) + "\n") * 4, "utf-8")
    lines = list(read_file(file))
    good = [line.reference or "" for line in lines]
    tried = {"even": [good[0], "", good[2], ""], "odd": ["", good[1], "", good[3]]}
    assert held_out(lines, tried.__getitem__, ["even", "odd"]) == [""] * 4


def test_other_weights_choose_another_text_of_a_list() -> None:
    """Totals are -6 and -7, then -11 and -10 with a larger weight, -4 and -3 with a bonus."""
    ranked = [
        Transcript("sun", 0, 0.0, {CHANNEL: -1.0}, -10.0, 0.0, 0.5, word_count=1, token_count=1),
        Transcript("a son", 1, 0.0, {CHANNEL: -4.0}, -6.0, 0.0, 0.5, word_count=2, token_count=2),
    ]
    assert best_of(ranked, 0.5, 0.0) == "sun"
    assert best_of(ranked, 1.0, 0.0) == "a son"
    assert best_of(ranked, 0.5, 2.0) == "a son"
    assert best_of([], 0.5, 2.0) == ""


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_a_page_that_is_read_without_an_error_stays_as_it_is(
    shipped: RunningServer, tmp_path: Path
) -> None:
    """Clean print with numbers, addresses, abbreviations and a hyphenated word is not changed."""
    image = tmp_path / "page.png"
    _print_page(PAGE, image)
    if [line.text for line in read_file(image, "6")] != PAGE:
        pytest.skip("this tesseract reads the page with errors")
    done = _run(image, "--psm", "6", "--server", shipped.address)
    assert done.stdout.splitlines() == PAGE, done.stderr


def test_the_rest_of_a_divided_word_is_not_corrected() -> None:
    """The second part of a hyphenated word is not in the vocabulary and must not change."""
    vocabulary = Vocabulary({word: [] for word in ("nation", "were")})
    line = ReadLine([ReadWord("ation", 60), ReadWord("vvere", 60)], first=False, continues=True)
    first, second = line.slots(vocabulary)
    assert first == {"ation": 0.0}
    assert "were" in second


@pytest.mark.long
@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
@pytest.mark.parametrize("font", ["DejaVuSerif.ttf", "DejaVuSans.ttf", "DejaVuSerif-Italic.ttf"])
def test_noisy_print_is_read_with_half_the_errors(
    shipped: RunningServer, font: str, tmp_path: Path
) -> None:
    """Small, blurred and noisy print has half as many errors with the bundled model."""
    images = [tmp_path / f"{number}.png" for number in range(len(SENTENCES))]
    for number, (text, image) in enumerate(zip(SENTENCES, images, strict=True)):
        print_line(text, image, font, seed=number)
    lines = [line for image in images for line in read_file(image, "7")]
    read = [line.text for line in lines]
    vocabulary = Vocabulary.of_bundle(bundled_model_path())
    score_weights = ScoreWeights(LM_WEIGHT, WORD_INSERTION_BONUS, {CHANNEL: 1.0})
    with Client(shipped.address) as wordgate:
        corrected = [choose(wordgate, line.slots(vocabulary), score_weights) for line in lines]
    done = _run(images[0], "--psm", "7", "--server", shipped.address)
    assert done.stdout.splitlines() == corrected[:1], done.stderr
    before = error_rate(SENTENCES, read, Unit.CHAR)
    after = error_rate(SENTENCES, corrected, Unit.CHAR)
    assert before > 0.02
    assert after < before / 2, "\n".join(corrected)


def _print_page(lines: list[str], image: Path) -> None:
    """Write an image of lines in a 32-pixel font, black on white."""
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    face = ImageFont.truetype(fonts / "DejaVuSerif.ttf", 32)
    width = int(max(map(face.getlength, lines))) + 80
    page = Image.new("L", (width, 60 + 51 * len(lines)), 255)
    for number, line in enumerate(lines):
        ImageDraw.Draw(page).text((40, 30 + 51 * number), line, font=face, fill=0)
    page.save(image)


def _run(
    file: Path, *options: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLE), str(file), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def _told(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line on standard error of a failed run."""
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("correct_print: ")
    return sentence
