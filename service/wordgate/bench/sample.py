"""N-best lists in the package, to measure on where a user has none at hand.

Forty of the package's own questions, spoken by flite and recognised by PocketSphinx with the
English model that it comes with; up to fifty different transcripts each.
"""

from collections.abc import Iterator
from importlib.resources import as_file, files

from wordgate.offline.formats import jsonl
from wordgate.offline.records import raise_on_error
from wordgate.offline.utterances import Utterance

NAME = "n_best_sample.jsonl.gz"


def n_best_sample() -> Iterator[Utterance]:
    """The utterances of the sample, with references."""
    with as_file(files("wordgate.bench") / NAME) as path:
        yield from raise_on_error(jsonl.read(path))
