"""N-best lists as ESPnet's decoding leaves them.

A folder holds folders `1best_recog`, `2best_recog` …, each with `text`, a line `UTT word word …`,
and `score`, a line `UTT number`: the total of the decoder, a natural logarithm, which is the score
`acoustic_log_prob` here (an end-to-end model has no other). (Watanabe et al. 2018, ESPnet.)
"""

import re
from collections.abc import Iterator
from pathlib import Path

from wordgate.core.hypothesis import Hypothesis
from wordgate.core.weighting import ACOUSTIC
from wordgate.errors import InvalidFile
from wordgate.evaluation.formats import keyed
from wordgate.evaluation.hesitations import Utterance

_RANKED = re.compile(r"(\d+)best_recog")


def read(folder: Path) -> Iterator[Utterance]:
    """The utterances of a folder, in the order of the best ones. Raises `InvalidFile`."""
    if not folder.is_dir():
        raise InvalidFile(folder, "is no folder; ESPnet leaves one with 1best_recog in it")
    ranks = sorted(
        (int(found.group(1)), path)
        for path in folder.iterdir()
        if (found := _RANKED.fullmatch(path.name))
    )
    if not ranks:
        raise InvalidFile(folder, "has no folder 1best_recog")
    texts = [keyed.read(path / "text", keyed.text) for _, path in ranks]
    scores = [keyed.read(path / "score", keyed.number) for _, path in ranks]
    for utt, (line, _) in texts[0].items():
        heard = []
        for (_, path), known, totals in zip(ranks, texts, scores, strict=True):
            if utt in known:
                if utt not in totals:
                    raise InvalidFile(path / "score", f"has no line for {utt}")
                heard.append(Hypothesis(known[utt][1], {ACOUSTIC: totals[utt][1]}))
        yield Utterance(utt, heard, ranks[0][1] / "text", line)
