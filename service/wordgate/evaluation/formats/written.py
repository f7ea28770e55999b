"""Best transcripts as other tools read them: Kaldi's text, NIST's .trn and .ctm.

A .ctm has a line for each word: utterance, channel, start, duration (seconds), word, confidence.
"""

from collections.abc import Iterator

from wordgate.engine.answers import RescoringAnswer
from wordgate.errors import InvalidFile
from wordgate.evaluation.hesitations import Utterance

_CHANNEL = 1


def kaldi(utterance: Utterance, answer: RescoringAnswer) -> Iterator[str]:
    """`UTT word word …`."""
    yield f"{utterance.utt} {_best(answer)}".rstrip()


def trn(utterance: Utterance, answer: RescoringAnswer) -> Iterator[str]:
    """`word word … (UTT)`."""
    yield f"{_best(answer)} ({utterance.utt})".lstrip()


def ctm(utterance: Utterance, answer: RescoringAnswer) -> Iterator[str]:
    """A line for each word. Raises `InvalidFile` for a transcript without times."""
    for word in answer.ranking.words:
        if word.time is None:
            problem = "has a best candidate without times, which a .ctm is made of"
            raise InvalidFile(utterance.path, problem, utterance.line)
        start, end = word.time.start_seconds, word.time.end_seconds
        yield (
            f"{utterance.utt} {_CHANNEL} {start:.3f} {end - start:.3f} {word.text} "
            f"{word.confidence:.4f}"
        )


def _best(answer: RescoringAnswer) -> str:
    return " ".join(answer.ranking.transcripts[0].text.split())
