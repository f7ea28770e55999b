"""Writers of best transcripts: Kaldi's text, NIST's .trn and .ctm.

A .ctm has one line per token: utterance, channel, start, duration (seconds), token, confidence.
"""

from collections.abc import Iterator
from itertools import groupby

from wordgate.engine.results import RescoringResult
from wordgate.errors import InvalidFile
from wordgate.offline.utterances import Utterance
from wordgate.scoring.rescoring import Ranking, WordConfidence

_CHANNEL = 1


def kaldi(utterance: Utterance, answer: RescoringResult) -> Iterator[str]:
    """Yield the line `UTT word word …`."""
    yield f"{utterance.utt} {_best(answer)}".rstrip()


def trn(utterance: Utterance, answer: RescoringResult) -> Iterator[str]:
    """Yield the line `word word … (UTT)`."""
    yield f"{_best(answer)} ({utterance.utt})".lstrip()


def ctm(utterance: Utterance, answer: RescoringResult) -> Iterator[str]:
    """Yield one line per token, with the lowest confidence of its words.

    Raises `InvalidFile` for a transcript without times.
    """
    for token, words in _tokens(answer.ranking):
        time = words[0].time
        if time is None:
            problem = "the best candidate has no times, which a .ctm requires"
            raise InvalidFile(utterance.path, problem, utterance.line)
        start, length = time.start_seconds, time.end_seconds - time.start_seconds
        confidence = min(word.confidence for word in words)
        yield f"{utterance.utt} {_CHANNEL} {start:.3f} {length:.3f} {token} {confidence:.4f}"


def _tokens(ranking: Ranking) -> list[tuple[str, list[WordConfidence]]]:
    """Group the words of the best transcript by token: the words of a token share its times."""
    together = [list(words) for _, words in groupby(ranking.words, key=lambda word: word.time)]
    tokens = ranking.transcripts[0].text.split()
    if len(tokens) != len(together):  # a token without a word, or neighbours with equal times
        return [(word.text, [word]) for word in ranking.words]
    return list(zip(tokens, together, strict=True))


def _best(answer: RescoringResult) -> str:
    return " ".join(answer.ranking.transcripts[0].text.split())
