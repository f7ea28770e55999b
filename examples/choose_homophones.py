"""Choose characters among homophones: python examples/choose_homophones.py FILE.jsonl --model zh.

Each line of FILE is an object with `utt` and `slots`, a list of candidates per character, as a
phonetic keyboard or a recogniser offers them. Prints the likeliest text of each line. For lines
with a `reference`, prints the share of Han characters and of whole lines that are wrong, on
standard error.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from unicodedata import name

from asked_server import add_server_options, asked_server
from wordgate.client import Client
from wordgate.errors import WordgateError
from wordgate.scoring.lattice import Alternative, ConfusionNetwork
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.score_weights import ScoreWeights


@dataclass(frozen=True)
class Utterance:
    """One line of the file. Each slot has at least one candidate."""

    utt: str
    slots: list[list[str]]
    reference: str | None

    @property
    def network(self) -> ConfusionNetwork:
        """The slots as a confusion network of characters."""
        slots = [[Alternative(text) for text in slot] for slot in self.slots]
        return ConfusionNetwork(slots, separator="")


def main() -> None:
    """Print the likeliest text of each line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE.jsonl")
    parser.add_argument("--model", default="", help="model of the server, such as zh")
    parser.add_argument("--beam", type=int, default=8, help="beam width of the search [8]")
    add_server_options(parser)
    options = parser.parse_args()
    utterances = read_file(options.file)
    texts = []
    with asked_server(options).connect(model=options.model) as wordgate:
        for utterance in utterances:
            texts.append(likeliest(wordgate, utterance, options.beam))
            print(f"{utterance.utt}\t{texts[-1]}", flush=True)
    show_errors(utterances, texts)


def read_file(path: Path) -> list[Utterance]:
    """Return the lines of a file. Raises `ValueError` with the line number for a malformed one."""
    found = []
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            found.append(Utterance(record["utt"], record["slots"], record.get("reference")))
        except KeyError as error:
            raise ValueError(f"{path}, line {number}: field {error} is missing") from None
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: not a JSON object: {error}") from None
    return found


def likeliest(wordgate: Client, utterance: Utterance, beam: int = 8) -> str:
    """Return the likeliest combination of the candidates."""
    bounds = SearchBounds(max_transcripts=1, beam=beam, max_expansions=20_000)
    result = wordgate.rescore("", utterance.network, ScoreWeights(), bounds=bounds)
    return result.ranking.transcripts[0].text


def show_errors(utterances: list[Utterance], texts: list[str]) -> None:
    """Print the error rates of the texts that have a reference."""
    pairs = [
        (each.reference, text)
        for each, text in zip(utterances, texts, strict=True)
        if each.reference is not None
    ]
    compared = [
        (right, chosen)
        for reference, text in pairs
        for right, chosen in zip(reference, text, strict=False)
        if is_han(right)
    ]
    if compared:
        wrong = sum(right != chosen for right, chosen in compared)
        lines = sum(reference != text for reference, text in pairs)
        print(f"Han characters wrong: {wrong / len(compared):.2%}", file=sys.stderr)
        print(f"lines wrong: {lines / len(pairs):.1%} of {len(pairs)}", file=sys.stderr)


def is_han(character: str) -> bool:
    """Return whether a character is an ideograph."""
    return name(character, "").startswith("CJK UNIFIED")


if __name__ == "__main__":
    try:
        main()
    except (WordgateError, OSError, ValueError) as error:
        sys.exit(f"choose_homophones: {error}")
