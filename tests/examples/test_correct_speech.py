"""Correction of recognised speech, synthesised with light noise, through a server.

All parts are deterministic: flite, the noise, PocketSphinx and the model.
"""

import json
import math
import shutil
import subprocess
import sys
import wave
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.running import RunningServer, serving

from correct_speech import (
    LIST_WEIGHTS,
    VOICES,
    Heard,
    correct,
    recognise,
    samples_of,
    say,
)
from wordgate.client import Client
from wordgate.evaluation.error_rate import Counting
from wordgate.scoring.lattice import Arc, Lattice
from wordgate.scoring.rescoring import Ranking
from wordgate.scoring.score_weights import ACOUSTIC

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "correct_speech.py"
SENTENCES = (ROOT / "tests" / "data" / "everyday.txt").read_text("utf-8").splitlines()
NOBODY = "127.0.0.1:1"
NOISE_DECIBELS = -30
VOICES_EACH = 2
"""Voices per sentence, of four in turn; the tables in docs/scoring.md are of all four."""


@dataclass(frozen=True)
class Corrected:
    """Spoken text, recognition results and both corrections."""

    said: str
    heard: Heard
    from_list: Ranking
    from_lattice: Ranking


@pytest.fixture(scope="module")
def speech() -> None:
    """Skip the tests without flite or PocketSphinx."""
    if not shutil.which("flite"):
        pytest.skip("needs flite: apt-get install flite")
    if not find_spec("pocketsphinx"):
        pytest.skip("needs PocketSphinx: pip install pocketsphinx==5.1.1")


@pytest.fixture(scope="module")
def shipped(speech: None) -> Iterator[RunningServer]:
    """A server with the bundled model."""
    with serving(None) as server:
        yield server


@pytest.fixture(scope="module")
def corrected(
    shipped: RunningServer, tmp_path_factory: pytest.TempPathFactory
) -> Sequence[Corrected]:
    """Twenty everyday sentences in two voices each, synthesised, recognised and corrected."""
    recording = tmp_path_factory.mktemp("speech") / "said.wav"
    random = np.random.default_rng(1)
    found = []
    with Client(shipped.address) as client:
        for sentence, voice in utterances():
            say(sentence, voice, recording)
            heard = recognise(noisy(samples_of(recording), random))
            found.append(Corrected(sentence, heard, *correct(client, heard)))
    return found


@pytest.mark.long
def test_corrections_mend_more_words_than_they_break(corrected: Sequence[Corrected]) -> None:
    """N-best list and lattice rescoring both have fewer errors than the recogniser's best text."""
    said = [each.said for each in corrected]
    transcripts = {
        "recognised": [each.heard.best for each in corrected],
        "its n-best list, corrected": [each.from_list.transcripts[0].text for each in corrected],
        "its lattice, corrected": [each.from_lattice.transcripts[0].text for each in corrected],
    }
    errors = {name: sum(Counting().errors(said, found)) for name, found in transcripts.items()}
    words = sum(len(sentence.split()) for sentence in said)
    for name, count in errors.items():
        print(f"{name:28} {count:3} of {words} words wrong, {count / words:.2%}")  # noqa: T201  for -rP
    first, from_list, from_lattice = errors.values()
    assert from_list < first
    assert from_lattice < first


@pytest.mark.long
def test_the_winner_of_a_lattice_is_one_of_its_paths(corrected: Sequence[Corrected]) -> None:
    """The winner's score is that of the best path with its words, computed independently."""
    for each in corrected:
        winner = each.from_lattice.transcripts[0]
        expected = best_path(each.heard.lattice, winner.text.split())
        assert winner.scores[ACOUSTIC] == pytest.approx(expected)


@pytest.mark.long
def test_list_and_lattice_have_the_same_acoustic_scores(corrected: Sequence[Corrected]) -> None:
    """Texts found in both have the same acoustic and language model scores."""
    both = 0
    for each in corrected:
        listed = {found.text: found for found in each.from_list.transcripts}
        for found in each.from_lattice.transcripts:
            if found.text in listed:
                other = listed[found.text]
                assert other.scores[ACOUSTIC] == pytest.approx(found.scores[ACOUSTIC])
                assert other.log_prob == found.log_prob
                both += 1
    assert both > len(corrected)


@pytest.mark.long
def test_the_command_line_ranks_the_lists_as_the_server_did(
    corrected: Sequence[Corrected], tmp_path: Path
) -> None:
    """`wordgate rescore` in process gives bit-identical texts, totals and confidences."""
    path = tmp_path / "heard.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for each in corrected:
            entries = [{"text": found.text, **found.scores} for found in each.heard.candidates]
            file.write(json.dumps({"candidates": entries}) + "\n")
    weights = LIST_WEIGHTS
    options = [
        f"--lm-weight={weights.lm_weight}",
        f"--word-insertion-bonus={weights.word_insertion_bonus}",
    ]
    options += [f"--weight={name}={weight}" for name, weight in weights.weights.items()]
    options.append(f"--posterior-scale={weights.posterior_scale}")
    command = [sys.executable, "-m", "wordgate.cli.main", "rescore", "--json", f"--input={path}"]
    ended = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
    for line, each in zip(ended.stdout.splitlines(), corrected, strict=True):
        document, ranking = json.loads(line), each.from_list
        there = [(found.text, found.total) for found in ranking.transcripts]
        assert [(found["text"], found["total"]) for found in document["ranking"]] == there
        confidences = [word.confidence for word in ranking.words]
        assert [word["confidence"] for word in document["words"]] == confidences


@pytest.mark.long
def test_the_example_prints_what_was_heard_and_both_corrections(shipped: RunningServer) -> None:
    """The documented command prints the recognised text and both corrections."""
    said = "the soup needs a little more salt and some fresh herbs"
    ended = _run("--say", said, "--voice", "awb", "--server", shipped.address)
    assert ended.returncode == 0, ended.stderr
    recognised, from_list, sure, from_lattice, _ = ended.stdout.splitlines()
    assert recognised == f"recognised  {said.replace('soup', 'suit')}"
    assert from_list == f"n-best list {said}"
    assert sure.split()[0::2] == said.split()
    assert from_lattice == f"lattice     {said}"


@pytest.mark.long
def test_a_missing_server_is_told_in_one_line(speech: None) -> None:
    """The recognised text is printed even without a server."""
    ended = _run("--say", SENTENCES[0], "--server", NOBODY)
    assert ended.returncode == 1
    assert ended.stdout.startswith("recognised ")
    assert ended.stderr.startswith(f"no server answers at {NOBODY}")
    assert ended.stderr.count("\n") == 1


def test_a_missing_recogniser_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error includes the install command for PocketSphinx."""
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(SystemExit, match=r"pip install pocketsphinx==\S+$"):
        recognise(b"")


def test_a_missing_synthesiser_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The error includes the install command for flite."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"apt-get install flite$"):
        say("hello", VOICES[0], tmp_path / "said.wav")


@pytest.mark.parametrize("kind", [(1, 2, 8_000), (2, 2, 16_000), (1, 1, 16_000)])
def test_a_recording_of_another_kind_is_refused(kind: tuple[int, int, int], tmp_path: Path) -> None:
    """The error names the required format and the conversion command."""
    path = tmp_path / "other.wav"
    with wave.open(str(path), "wb") as recording:
        recording.setparams((*kind, 0, "NONE", ""))
        recording.writeframes(bytes(16))
    with pytest.raises(SystemExit, match="must be 16 kHz, mono, 16 bit: ffmpeg"):
        samples_of(path)


@pytest.mark.parametrize("content", [None, b"", b"RIFF", b"no recording at all, some text"])
def test_what_is_no_recording_is_refused(content: bytes | None, tmp_path: Path) -> None:
    """A missing, truncated or invalid recording is reported by name."""
    path = tmp_path / "other.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit, match=r"other\.wav: cannot be read as a recording"):
        samples_of(path)


def utterances() -> Iterator[tuple[str, str]]:
    """Yield each sentence with `VOICES_EACH` of the voices, and every voice equally often."""
    for first, voice in enumerate(VOICES):
        for number, sentence in enumerate(SENTENCES, first):
            if number % len(VOICES) < VOICES_EACH:
                yield sentence, voice


def noisy(samples: bytes, random: np.random.Generator) -> bytes:
    """Add white noise to the samples."""
    clean = np.frombuffer(samples, "<i2").astype(float)
    loudness = np.sqrt(np.mean(clean**2)) * 10 ** (NOISE_DECIBELS / 20)
    mixed = clean + loudness * random.normal(size=len(clean))
    found: bytes = mixed.clip(-32768, 32767).astype("<i2").tobytes()
    return found


def best_path(lattice: Lattice, words: Sequence[str]) -> float:
    """Return the best acoustic score of a path with these words; minus infinity if none exists."""
    leaving: dict[int, list[Arc]] = defaultdict(list)
    for arc in lattice.arcs:
        leaving[arc.start].append(arc)

    @cache
    def best(node: int, place: int) -> float:
        if node == lattice.end:
            return 0.0 if place == len(words) else -math.inf
        ways = [-math.inf]
        for arc in leaving[node]:
            word = lattice.said(arc.label)
            if not word or words[place : place + 1] == [word]:
                ways.append(arc.scores[ACOUSTIC] + best(arc.end, place + bool(word)))
        return max(ways)

    return best(lattice.start, 0)


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(EXAMPLE), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)
