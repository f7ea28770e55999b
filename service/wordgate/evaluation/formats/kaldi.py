"""N-best lists as Kaldi's `nbest-to-linear` and its n-best rescoring scripts leave them.

A folder holds `words_text` (or `text`), a line `UTT-N word word …`, and archives of costs, a line
`UTT-N number`: `ac_cost`, `lmwt.nolm` and others. N counts from 1, the best first. A cost is a
negated natural logarithm, so its score is the number negated: `ac_cost` is `acoustic_log_prob`,
any other archive is a score under its file's name. (Povey et al. 2011, the Kaldi toolkit.)
"""

from collections.abc import Iterator
from pathlib import Path

from wordgate.core.hypothesis import Hypothesis
from wordgate.core.weighting import ACOUSTIC
from wordgate.errors import InvalidFile
from wordgate.evaluation.formats import keyed
from wordgate.evaluation.hesitations import Utterance
from wordgate.evaluation.lines import uncompressed

_TEXTS = ("words_text", "text")
_ACOUSTIC_COST = "ac_cost"


def read(folder: Path) -> Iterator[Utterance]:
    """The utterances of a folder, in order of their first line. Raises `InvalidFile`."""
    named = {uncompressed(path).name: path for path in keyed.files(folder)}
    texts_path = next((named[name] for name in _TEXTS if name in named), None)
    if texts_path is None:
        raise InvalidFile(folder, f"has neither {_TEXTS[0]} nor {_TEXTS[1]}")
    texts = keyed.read(texts_path, keyed.text)
    costs = {
        name: keyed.read(path, keyed.number) for name, path in named.items() if name not in _TEXTS
    }
    for utt, keys in _by_utterance(texts_path, texts).items():
        heard = [Hypothesis(texts[key][1], _scores(folder, costs, key)) for key in keys]
        yield Utterance(utt, heard, texts_path, texts[keys[0]][0])


def _by_utterance(path: Path, texts: dict[str, tuple[int, str]]) -> dict[str, list[str]]:
    """Keys of each utterance by rank."""
    found: dict[str, list[tuple[int, str]]] = {}
    for key, (line, _) in texts.items():
        utt, separator, rank = key.rpartition("-")
        if not separator or not rank.isdecimal():
            problem = f"has the key {key!r}, which is no UTT-N with a number at its end"
            raise InvalidFile(path, problem, line)
        found.setdefault(utt, []).append((int(rank), key))
    return {utt: [key for _, key in sorted(ranked)] for utt, ranked in found.items()}


def _scores(
    folder: Path, costs: dict[str, dict[str, tuple[int, float]]], key: str
) -> dict[str, float]:
    missing = [name for name, found in costs.items() if key not in found]
    if missing:
        raise InvalidFile(folder / missing[0], f"has no line for {key}")
    return {
        ACOUSTIC if name == _ACOUSTIC_COST else name: -found[key][1]
        for name, found in costs.items()
    }
