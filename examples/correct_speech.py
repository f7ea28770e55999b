"""Let a server correct what PocketSphinx heard, from its n-best list and from its lattice.

    scripts/run                                                       # a server, elsewhere
    python examples/correct_speech.py recording.wav                   # 16 kHz, mono, 16 bit
    python examples/correct_speech.py --say "the keys are on the table" --voice slt

Needs `pip install pocketsphinx` (5.1.1 brings an English model) and, for --say, the synthesiser
`flite` (`apt-get install flite`). Both answer the same each time.

PocketSphinx's n-best list has texts and one sum of scores each, with now and then a huge penalty in
it. Its parts are found elsewhere: the acoustic score of a text is that of the best path of the
lattice that says it, and PocketSphinx's own trigram is asked again. The lattice has acoustic scores
alone; there the server's model decides without the trigram.
"""

import argparse
import subprocess
import sys
import wave
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asked_server import add_server_options, asked_server
from wordgate.client import Client
from wordgate.errors import WordgateError
from wordgate.offline.formats import slf
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.lattice import Arc, Lattice
from wordgate.scoring.rescoring import Ranking
from wordgate.scoring.weighting import ACOUSTIC, Weighting

TRIGRAM = "first_pass_lm_log_prob"
VOICES = ("slt", "awb", "rms", "kal16")

# What `wordgate tune` found on 500 other utterances: docs/scoring.md, "How much it helps".
LIST_WEIGHTING = Weighting(5.0, -16.0, {TRIGRAM: 5.5}, posterior_scale=15.0)
LATTICE_WEIGHTING = Weighting(10.0, -14.0, posterior_scale=18.0)

_MOST_CANDIDATES = 50
_MOST_ENTRIES = 5000  # pauses and pronunciations differ, the text does not: many entries are alike
# Words are left out of its lattice sooner than by default (7e-29), at next to no cost in errors: a
# seventh of the links is left. Three seconds of noisy speech had 80,000, more than a server takes.
_WORD_BEAM = 1e-20


@dataclass(frozen=True)
class Heard:
    """What PocketSphinx thinks was said: its best, its n-best list without doubles, its lattice."""

    best: str
    candidates: list[Hypothesis]
    lattice: Lattice


def say(text: str, voice: str, path: Path) -> None:
    """Write a recording of `text`. Exits where there is no flite."""
    try:
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
    except FileNotFoundError:
        sys.exit("--say needs flite: apt-get install flite")


def samples_of(path: Path) -> bytes:
    """A recording's samples. Exits when PocketSphinx's model cannot use it."""
    try:
        with wave.open(str(path), "rb") as recording:
            kind = recording.getframerate(), recording.getnchannels(), recording.getsampwidth()
            if kind == (16_000, 1, 2):
                return recording.readframes(recording.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        sys.exit(f"{path}: cannot be read as a recording: {error}")
    sys.exit(f"{path}: must be 16 kHz, mono, 16 bit: ffmpeg -i {path} -ar 16000 -ac 1 other.wav")


def recognise(samples: bytes) -> Heard:
    """Recognise one recording. Exits where there is no PocketSphinx, or nothing was heard.

    Each recording gets a decoder of its own: it adapts to what it hears, and another order of
    recordings would be another result.
    """
    try:
        from pocketsphinx import Decoder
    except ModuleNotFoundError:
        sys.exit("recognising speech needs PocketSphinx: pip install pocketsphinx==5.1.1")
    decoder = Decoder(loglevel="FATAL", fwdflatwbeam=_WORD_BEAM)
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    if not decoder.hyp() or not decoder.hyp().hypstr:
        sys.exit("PocketSphinx heard no words")
    lattice = _lattice(decoder)
    return Heard(decoder.hyp().hypstr, _candidates(decoder, lattice), lattice)


def _candidates(decoder: Any, lattice: Lattice) -> list[Hypothesis]:
    """The texts of the list, with what the acoustic model and the trigram say of each."""
    entries = islice(decoder.nbest(), _MOST_ENTRIES)
    texts = list(islice(dict.fromkeys(entry.hypstr for entry in entries), _MOST_CANDIDATES))
    arcs = _forwards(lattice)
    return [
        Hypothesis(
            text,
            {
                ACOUSTIC: _acoustic(lattice, arcs, text.split()),
                TRIGRAM: _trigram(decoder, text.split()),
            },
        )
        for text in texts
    ]


def _forwards(lattice: Lattice) -> list[Arc]:
    """The arcs, each after all those that lead to it."""
    before = defaultdict(set)
    for arc in lattice.arcs:
        before[arc.end].add(arc.start)
    places = {node: place for place, node in enumerate(TopologicalSorter(before).static_order())}
    return sorted(lattice.arcs, key=lambda arc: places[arc.start])


def _acoustic(lattice: Lattice, arcs: Sequence[Arc], words: Sequence[str]) -> float:
    """Acoustic score of the best path that says these words, natural logarithm."""
    best: dict[int, dict[int, float]] = defaultdict(dict)  # by node and words said so far
    best[lattice.start][0] = 0.0
    for arc in arcs:
        said = lattice.said(arc.label)
        for count, score in best[arc.start].items():
            if said in ("", *words[count : count + 1]):
                after, total = count + bool(said), score + arc.scores[ACOUSTIC]
                best[arc.end][after] = max(total, best[arc.end].get(after, total))
    return best[lattice.end][len(words)]


def _trigram(decoder: Any, words: Sequence[str]) -> float:
    """Log-probability of a text in PocketSphinx's own language model, natural logarithm."""
    language, backwards = decoder.get_lm(), ["</s>", *reversed(words), "<s>"]
    asked = [backwards[place : place + 3] for place in range(len(words) + 1)]
    found: list[float] = [decoder.logmath.log_to_ln(language.prob(three)) for three in asked]
    return sum(found)


def _lattice(decoder: Any) -> Lattice:
    """The lattice, by way of HTK's format, in which PocketSphinx writes it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "heard.slf"
        decoder.get_lattice().write_htk(str(path))
        return slf.read_lattice(path, slf.ScoreAt.START)


def correct(client: Client, heard: Heard) -> tuple[Ranking, Ranking]:
    """The n-best list, ranked with the server's model; the lattice, searched with it."""
    listed = client.rescore("", heard.candidates, LIST_WEIGHTING)
    found = client.rescore("", heard.lattice, LATTICE_WEIGHTING)
    return listed.ranking, found.ranking


def _print_winner(name: str, ranking: Ranking) -> None:
    print(f"{name:11} {ranking.transcripts[0].text}")
    print(f"{'':11}", "  ".join(f"{word.text} {word.confidence:.2f}" for word in ranking.words))


def main() -> None:
    """Recognise, correct, print."""
    parser = argparse.ArgumentParser(description="Let a server correct what PocketSphinx heard.")
    spoken = parser.add_mutually_exclusive_group(required=True)
    spoken.add_argument("recording", nargs="?", type=Path, help="a WAV file, 16 kHz mono 16 bit")
    spoken.add_argument("--say", metavar="TEXT", help="speak this with flite, and recognise it")
    parser.add_argument("--voice", choices=VOICES, default="slt", help="flite's voice")
    add_server_options(parser)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        recording = given.recording or Path(folder) / "said.wav"
        if given.say is not None:
            say(given.say, given.voice, recording)
        heard = recognise(samples_of(recording))
    print(f"{'recognised':11} {heard.best}")
    try:
        with asked_server(given).connect() as client:
            from_list, from_lattice = correct(client, heard)
    except WordgateError as error:
        sys.exit(str(error))
    _print_winner("its n-best", from_list)
    _print_winner("its lattice", from_lattice)


if __name__ == "__main__":
    main()
