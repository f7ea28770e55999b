"""What the servers are asked: n-best lists of utterances, and histories of typed messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from wordgate.bench.scoring.sample import n_best_sample
from wordgate.bench.typing.keys import typed_messages
from wordgate.offline.formats import jsonl
from wordgate.offline.records import raise_on_error

WARM_UP_UTTERANCES = 8
WARM_UP_MESSAGES = 2
SENTENCES = 5
"""Sentences per message, of six words on average."""


@dataclass(frozen=True)
class Texts:
    """Candidates by utterance, and a history for each word that is predicted."""

    utterances: Sequence[Sequence[str]]
    histories: Sequence[str]

    @property
    def candidates(self) -> int:
        """Number of candidates of all utterances."""
        return sum(map(len, self.utterances))


def read_texts(nbest: Path | None, utterances: int, messages: int) -> tuple[Texts, Texts]:
    """Return the texts to measure, and others to warm up with.

    Without `nbest`, the lists are the sample in the package. Messages are made of the
    package's cloze sentences.
    Raises `click.UsageError` if no texts are left to warm up with.
    """
    source = raise_on_error(jsonl.read(nbest)) if nbest else n_best_sample()
    lists = [[hypothesis.text for hypothesis in each.hypotheses] for each in source]
    sentences = typed_messages(None)
    typed = [
        ". ".join(sentences[first : first + SENTENCES])
        for first in range(0, len(sentences), SENTENCES)
    ]
    if utterances > len(lists) - WARM_UP_UTTERANCES or messages > len(typed) - WARM_UP_MESSAGES:
        raise click.UsageError(
            f"too few texts to warm up with: there are {len(lists)} utterances and {len(typed)} "
            "messages; lower --utterances or --messages"
        )
    measured = Texts(lists[:utterances], histories(typed[:messages]))
    return measured, Texts(lists[-WARM_UP_UTTERANCES:], histories(typed[-WARM_UP_MESSAGES:]))


def histories(messages: Sequence[str]) -> list[str]:
    """Return each message up to each word but the last: where the next word is predicted."""
    split = [message.split() for message in messages]
    return [" ".join(words[:end]) for words in split for end in range(1, len(words))]
