"""The bundled sample of n-best lists, for benchmarks without user data.

Forty of the bundled cloze questions, synthesised by flite and recognised by PocketSphinx with its
English model; up to fifty distinct transcripts each.
"""

from collections.abc import Iterator
from importlib.resources import as_file, files

from wordgate.offline.formats import jsonl
from wordgate.offline.records import raise_on_error
from wordgate.offline.utterances import Utterance

NAME = "n_best_sample.jsonl.gz"


def n_best_sample() -> Iterator[Utterance]:
    """Yield the utterances of the sample, with references."""
    with as_file(files("wordgate.bench") / NAME) as path:
        yield from raise_on_error(jsonl.read(path))
