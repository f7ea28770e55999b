"""Correct PocketSphinx's speech recognition, from its n-best list and from its lattice.

    scripts/run                                                       # in another terminal
    python examples/correct_speech.py recording.wav                   # 16 kHz, mono, 16 bit
    python examples/correct_speech.py --say "the keys are on the table" --voice slt

Needs `pip install pocketsphinx` (5.1.1 includes an English model) and, for --say, the synthesiser
`flite` (`apt-get install flite`). Both are deterministic.

PocketSphinx's n-best list has one combined score per text, which sometimes contains a huge penalty.
The parts are therefore computed separately: the acoustic score is that of the best lattice path
with this text, and the language model score is recomputed with PocketSphinx's trigram. The lattice
has acoustic scores only; there the server's model is used without the trigram.
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
from wordgate.scoring.score_weights import ACOUSTIC, ScoreWeights

TRIGRAM = "first_pass_lm_log_prob"
VOICES = ("slt", "awb", "rms", "kal16")

# Tuned with `wordgate tune` on 500 other utterances: docs/scoring.md, "How much it helps".
LIST_WEIGHTS = ScoreWeights(5.0, -16.0, {TRIGRAM: 5.5}, posterior_scale=15.0)
LATTICE_WEIGHTS = ScoreWeights(10.0, -14.0, posterior_scale=18.0)

_MAX_CANDIDATES = 50
_MAX_ENTRIES = 5000  # many entries differ only in pauses and pronunciations, not in text
# Narrower than the default (7e-29), which reduces the links of the lattice to 1/7 at almost no cost
# in errors. With the default, three seconds of noisy speech had 80,000, above the server's limit.
_WORD_BEAM = 1e-20


@dataclass(frozen=True)
class Heard:
    """PocketSphinx's results: best text, n-best list without duplicates, lattice."""

    best: str
    candidates: list[Hypothesis]
    lattice: Lattice


def say(text: str, voice: str, path: Path) -> None:
    """Synthesise `text` to a WAV file. Exits if flite is not installed."""
    try:
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
    except FileNotFoundError:
        sys.exit("--say needs flite: apt-get install flite")


def samples_of(path: Path) -> bytes:
    """Read the samples of a recording. Exits if its format does not fit PocketSphinx's model."""
    try:
        with wave.open(str(path), "rb") as recording:
            kind = recording.getframerate(), recording.getnchannels(), recording.getsampwidth()
            if kind == (16_000, 1, 2):
                return recording.readframes(recording.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        sys.exit(f"{path}: cannot be read as a recording: {error}")
    sys.exit(f"{path}: must be 16 kHz, mono, 16 bit: ffmpeg -i {path} -ar 16000 -ac 1 other.wav")


def recognise(samples: bytes) -> Heard:
    """Recognise one recording. Exits if PocketSphinx is missing or no words are recognised.

    Each recording gets a new decoder. Decoders adapt to their input, so with a shared one the
    results would depend on the order of the recordings.
    """
    try:
        from pocketsphinx import Decoder
    except ModuleNotFoundError:
        sys.exit("PocketSphinx is not installed: pip install pocketsphinx==5.1.1")
    decoder = Decoder(loglevel="FATAL", fwdflatwbeam=_WORD_BEAM)
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    if not decoder.hyp() or not decoder.hyp().hypstr:
        sys.exit("PocketSphinx recognised no words")
    lattice = _lattice(decoder)
    return Heard(decoder.hyp().hypstr, _candidates(decoder, lattice), lattice)


def _candidates(decoder: Any, lattice: Lattice) -> list[Hypothesis]:
    """Return the texts of the n-best list with their acoustic and trigram scores."""
    entries = islice(decoder.nbest(), _MAX_ENTRIES)
    texts = list(islice(dict.fromkeys(entry.hypstr for entry in entries), _MAX_CANDIDATES))
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
    """Return the arcs in topological order."""
    before = defaultdict(set)
    for arc in lattice.arcs:
        before[arc.end].add(arc.start)
    order = {node: index for index, node in enumerate(TopologicalSorter(before).static_order())}
    return sorted(lattice.arcs, key=lambda arc: order[arc.start])


def _acoustic(lattice: Lattice, arcs: Sequence[Arc], words: Sequence[str]) -> float:
    """Return the acoustic score of the best path with these words, natural logarithm."""
    best: dict[int, dict[int, float]] = defaultdict(dict)  # by node and number of words
    best[lattice.start][0] = 0.0
    for arc in arcs:
        said = lattice.said(arc.label)
        for count, score in best[arc.start].items():
            if said in ("", *words[count : count + 1]):
                after, total = count + bool(said), score + arc.scores[ACOUSTIC]
                best[arc.end][after] = max(total, best[arc.end].get(after, total))
    return best[lattice.end][len(words)]


def _trigram(decoder: Any, words: Sequence[str]) -> float:
    """Return the log-probability under PocketSphinx's language model, natural logarithm."""
    language, backwards = decoder.get_lm(), ["</s>", *reversed(words), "<s>"]
    trigrams = [backwards[index : index + 3] for index in range(len(words) + 1)]
    log_probs: list[float] = [decoder.logmath.log_to_ln(language.prob(each)) for each in trigrams]
    return sum(log_probs)


def _lattice(decoder: Any) -> Lattice:
    """Return the lattice, converted through HTK's format, which PocketSphinx writes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "heard.slf"
        decoder.get_lattice().write_htk(str(path))
        return slf.read_lattice(path, slf.ScoreAt.START)


def correct(client: Client, heard: Heard) -> tuple[Ranking, Ranking]:
    """Rescore the n-best list and the lattice with the server's model."""
    listed = client.rescore("", heard.candidates, LIST_WEIGHTS)
    found = client.rescore("", heard.lattice, LATTICE_WEIGHTS)
    return listed.ranking, found.ranking


def _print_winner(name: str, ranking: Ranking) -> None:
    print(f"{name:11} {ranking.transcripts[0].text}")
    print(f"{'':11}", "  ".join(f"{word.text} {word.confidence:.2f}" for word in ranking.words))


def main() -> None:
    """Recognise, correct and print."""
    parser = argparse.ArgumentParser(description="Correct PocketSphinx's speech recognition.")
    spoken = parser.add_mutually_exclusive_group(required=True)
    spoken.add_argument("recording", nargs="?", type=Path, help="a WAV file, 16 kHz mono 16 bit")
    spoken.add_argument("--say", metavar="TEXT", help="synthesise this with flite and recognise it")
    parser.add_argument("--voice", choices=VOICES, default="slt", help="flite's voice")
    add_server_options(parser)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        recording = options.recording or Path(folder) / "said.wav"
        if options.say is not None:
            say(options.say, options.voice, recording)
        heard = recognise(samples_of(recording))
    print(f"{'recognised':11} {heard.best}")
    try:
        with asked_server(options).connect() as client:
            from_list, from_lattice = correct(client, heard)
    except WordgateError as error:
        sys.exit(str(error))
    _print_winner("n-best list", from_list)
    _print_winner("lattice", from_lattice)


if __name__ == "__main__":
    main()
