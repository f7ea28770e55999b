"""A noisy-channel model of OCR errors: candidates for what was printed where OCR read a word.

The channel is a weighted edit distance whose edits may replace several characters at once
(Kernighan, Church and Gale 1990; Brill and Moore 2000, "An improved error model for noisy channel
spelling correction"). Costs are negative natural logarithms of probabilities, set by hand: 2 means
one error in 7 doubtful words, 6 means one in 400.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

ALIKE = (
    "rn/m cl/d vv/w li/h ii/u ri/n in/m ni/m nn/m ti/n ll/U "
    "l/1 l/I l/| l/i l/! l/t l/f l/j 1/I I/| I/! I/[ I/{ I/T I/J i/1 i/j i/t i/r i/! t/f t/r t/c "
    "O/0 o/0 O/Q S/5 s/5 Z/2 z/2 B/8 G/6 g/9 g/q a/@ e/c e/o e/a a/o a/s c/o "
    "n/r n/u n/m h/b h/k r/c r/s r/v v/w v/y u/a"
)
"""Pairs that are confused in both directions."""

THIN = " iltrfjI1.,'-"
"""Characters that OCR easily misses."""

LIKE_I = "Tt1lI|{[JL'!"
"""Misreadings of "I" and a space: the thin glyph merges with the next word."""

ALIKE_COST = 2.0
CASE_COST = 3.0
THIN_LOST_COST = 3.0
OTHER_COST = 6.0
STRAY_MARK_COST = 1.0
"""A spurious mark at a word's edge: specks and shadows are read as quotes."""
MARK_COST = 2.0
"""A mark at a word's edge that was misread or missed."""
RARE_MARK_COST = 4.0
LOST_I_COST = 2.0
"""An "I" missed before the first word: at the edge of the page it is taken for a border."""
UNUSUAL_CASE_COST = 1.0
"""A word not in its usual letter case, or capitalised inside a line."""

QUOTES = str.maketrans("‘’“”", "''\"\"")
"""Quotes are normalised to straight ones."""

CHOICE_COST, CHOICE_SLOPE = 0.5, 4.0
"""Cost of a confusion among the recogniser's alternatives, plus the cost per 100 points of lower
confidence."""

MARK_DOUBT = 75.0
"""Word confidence below which its marks are doubtful, if there are no character confidences."""
RIVAL_CONFIDENCE = 25.0
"""A mark is doubtful if another character has at least this confidence."""

_ABBREVIATED = """
dr mr mrs ms prof st jr sr rev gen col capt lt hon messrs mme no nos vol vols fig figs p pp ch sec
ed eds vs etc cf ca al approx dept est inc ltd co corp bros univ ave blvd rd mt ft tel ext jan feb
mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun
"""
ABBREVIATIONS = frozenset(_ABBREVIATED.split())
"""Words whose full stop does not end a sentence."""

_INNER_MARK = re.compile(r"[^\W_][./@_\\:][^\W_]|://")
HYPHENS = ("-", "‐", "\u00ad", "¬")

_INSIDE_WORDS = "'-"
_STRAY = "‘“'«|\\{"


@dataclass(frozen=True)
class ReadWord:
    """A word as recognised, between two spaces.

    `confidence` is 0 to 100. `choices` has the recogniser's alternatives per character of `text`,
    with confidences and including the character itself; or it is empty.
    """

    text: str
    confidence: float
    choices: Sequence[Mapping[str, float]] = ()


class Vocabulary:
    """The words that are single tokens of a model, and words with a special written form."""

    def __init__(self, written: Mapping[str, Iterable[str]]) -> None:
        """`written` maps lower-case words to their usual written forms, if these differ."""
        self._forms = {word: tuple(forms) for word, forms in written.items()}
        self._words = list(self._forms)

    @classmethod
    def of_bundle(cls, folder: Path) -> "Vocabulary":
        """Return the vocabulary of a published model."""
        document = json.loads((folder / "tokenizer.json").read_text("utf-8"))
        ends = (token for token in document["model"]["vocab"] if token.endswith("</w>"))
        found: dict[str, list[str]] = {end.removesuffix("</w>"): [] for end in ends}
        for line in (folder / "words.tsv").read_text("utf-8").splitlines():
            kind, word, *forms = line.split("\t")
            if kind == "written":
                found.setdefault(word, []).extend(forms)
        kept = (word for word in found if word in {"a", "i"} or (len(word) > 1 and _lettered(word)))
        return cls({word: found[word] for word in kept})

    def __contains__(self, text: str) -> bool:
        return text.translate(QUOTES).lower() in self._forms

    def near(self, read: str, most: int = 60) -> list[str]:
        """Return lower-case words within one edit of a short text, or up to four of a long one."""
        edits = min(4, 1 + (len(read) > 2) + (len(read) > 5) + (len(read) > 8))
        found = process.extract(
            read.lower(), self._words, scorer=Levenshtein.distance, score_cutoff=edits, limit=most
        )
        return [word for word, _, _ in found]

    def forms(self, word: str, read: str, first: bool) -> Iterator[tuple[str, float]]:
        """Yield the written forms of a word of the vocabulary with the costs of unusual case."""
        usual = self._forms[word]
        capitalised = word[:1].upper() + word[1:]
        yield from ((form, 0.0) for form in usual)
        if word not in usual:
            yield word, UNUSUAL_CASE_COST if usual or first else 0.0
        if capitalised not in usual:
            yield capitalised, 0.0 if first else UNUSUAL_CASE_COST
        if len(read) > 1 and read.isupper():
            yield word.upper(), 0.0


def is_left_alone(word: ReadWord, *, line_end: bool = False, doubt: float = 95.0) -> bool:
    """Return whether a word must not be corrected, because a language model cannot help.

    True for numbers; addresses, versions and abbreviations with an inner mark; abbreviations with a
    full stop and initials; and the first part of a word hyphenated at the end of a line.
    """
    characters = [character for character in word.text if character.isalnum()]
    digits = sum(character.isdigit() for character in characters)
    if digits and (
        word.confidence >= doubt or (len(characters) > 1 and 2 * digits > len(characters))
    ):
        return True
    if _INNER_MARK.search(word.text):
        return True
    if line_end and word.text.endswith(HYPHENS) and len(characters) > 1:
        return True
    core = word.text.strip("()[]\"'“”‘’,;:")
    stem = core.removesuffix(".").lower()
    return core.endswith(".") and (stem in ABBREVIATIONS or (len(stem) == 1 and core[0].isupper()))


def edit_cost(written: str, read: str, choices: Sequence[Mapping[str, float]] = ()) -> float:
    """Return the minimum cost of the edits from the written to the read text.

    `choices` are the recogniser's alternatives per character of `read`.
    """
    rows = [[math.inf] * (len(read) + 1) for _ in range(len(written) + 1)]
    rows[0][0] = 0.0
    for i, row in enumerate(rows):
        for j in range(len(read) + 1):
            for a in range(min(i, 2) + 1):
                for b in range(min(j, 2) + 1):
                    before = rows[i - a][j - b]
                    if before < row[j]:
                        step = _step_cost(written[i - a : i], read[j - b : j])
                        if a == b == 1 and choices:
                            step = min(
                                step, _choice_cost(written[i - 1], read[j - 1], choices[j - 1])
                            )
                        row[j] = min(row[j], before + step)
    return rows[-1][-1]


def candidates(
    word: ReadWord,
    vocabulary: Vocabulary,
    *,
    first: bool = False,
    last: bool = False,
    doubt: float = 95.0,
    most: int = 24,
) -> dict[str, float]:
    """Return the texts that may have been written where `word` was read, with their channel costs.

    `first` and `last`: whether the word is the first or last of its text. The letters of a word
    change only if it is doubtful: its confidence is below `doubt` or it is out of vocabulary. Marks
    change only if they are doubtful. Confidence is used as the probability that the letters are
    right. Returns at most `most` texts of known words and `most` / 3 others. A text may be empty or
    contain a space.
    """
    right = min(0.99, max(0.05, word.confidence / 100))
    found: dict[str, float] = {}
    for start, end in _cores(word):
        core = word.text[start:end].translate(QUOTES)
        doubtful = word.confidence < doubt or core not in vocabulary
        letters = {core: 0.0}
        if doubtful:
            letters |= _letters(core, word.choices[start:end], vocabulary, first)
        openings = _openings(word.text[:start], _doubts(word, 0, start))
        closings = _closings(word.text[end:], last, _doubts(word, end, len(word.text)))
        for text, letters_cost in letters.items():
            cost = letters_cost - math.log(right if text == core else 1 - right)
            for opening, opening_cost in openings.items():
                for closing, closing_cost in closings.items():
                    whole = opening + text + closing if text else ""
                    total = cost + opening_cost + closing_cost
                    found[whole] = min(total, found.get(whole, math.inf))
    straight = word.text.translate(QUOTES)
    if straight in found and not _doubts(word, 0, len(word.text)):
        found[word.text] = found.pop(straight)  # keep the quotes as read
    return _shortlist(found, vocabulary, most)


def _doubts(word: ReadWord, start: int, end: int) -> bool:
    """Return whether the marks in this range, or their absence, are doubtful."""
    if not word.choices or start == end:
        return word.confidence < MARK_DOUBT
    return any(
        confidence >= RIVAL_CONFIDENCE
        for place in range(start, end)
        if not word.text[place].isalnum()
        for character, confidence in word.choices[place].items()
        if character != word.text[place]
    )


def _letters(
    read: str, choices: Sequence[Mapping[str, float]], vocabulary: Vocabulary, first: bool
) -> dict[str, float]:
    """Return alternatives for the letters of a doubtful word, with their costs."""
    proposed = dict.fromkeys(_respelled(read, choices), 0.0)
    for word in vocabulary.near(read):
        proposed |= vocabulary.forms(word, read, first)
    for text in _parted(read, vocabulary):
        proposed[text] = 0.0
    proposed.pop(read, None)
    costs = {text: cost + edit_cost(text, read, choices) for text, cost in proposed.items()}
    if first and read[:1].islower():
        for text, cost in [(read, 0.0), *costs.items()]:
            costs[f"I {text}"] = min(cost + LOST_I_COST, costs.get(f"I {text}", math.inf))
    if len(read) <= 2:
        costs[""] = STRAY_MARK_COST if read in _STRAY else OTHER_COST * len(read)
    return costs


def _respelled(read: str, choices: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """Yield the word with one confusion undone, even if out of vocabulary: it may be a name."""
    for written, seen in _table():
        at = read.find(seen)
        while at >= 0:
            if _inside_words(written, read):
                yield read[:at] + written + read[at + len(seen) :]
            at = read.find(seen, at + 1)
    for place, each in enumerate(choices):
        for other in each:
            if _inside_words(other, read):
                yield read[:place] + other + read[place + 1 :]


def _parted(read: str, vocabulary: Vocabulary) -> Iterator[str]:
    """Yield splits at a lost space: two known words, or "I" and a word near a known one."""
    for place in range(1, len(read)):
        if read[:place] in vocabulary and read[place:] in vocabulary:
            yield f"{read[:place]} {read[place:]}"
    if len(read) > 2 and read[0] in LIKE_I:
        for word in vocabulary.near(read[1:], 5):
            yield f"I {word}"


def _cores(word: ReadWord) -> list[tuple[int, int]]:
    """Return the spans of a word's letters: without marks, and with leading marks if doubtful."""
    start, end = _core(word.text)
    return [(start, end), (0, end)] if start and _doubts(word, 0, start) else [(start, end)]


def _core(read: str) -> tuple[int, int]:
    """Return the span of a word's letters, without the marks at its edges."""
    inner = [place for place, character in enumerate(read) if _lettered(character)]
    return (inner[0], inner[-1] + 1) if inner else (0, len(read))


def _openings(read: str, doubtful: bool) -> dict[str, float]:
    """Return alternatives for the marks read before a word, with their costs."""
    if not read or not doubtful:
        return {read.translate(QUOTES): 0.0}
    costs = dict.fromkeys("'\"(", RARE_MARK_COST)
    costs[""] = STRAY_MARK_COST if read[-1] in _STRAY else MARK_COST
    return costs | {read.translate(QUOTES): 0.0}


def _closings(read: str, last: bool, doubtful: bool) -> dict[str, float]:
    """Return alternatives for the marks read after a word, with their costs."""
    if not doubtful:
        return {read.translate(QUOTES): 0.0}
    if not read:
        return {"": 0.0} | (
            {".": MARK_COST, "?": RARE_MARK_COST, "!": RARE_MARK_COST} if last else {}
        )
    kept = read[:-1].translate(QUOTES)
    alike = MARK_COST if read[-1] in ".,:;-_" else RARE_MARK_COST
    costs = {kept + mark: alike for mark in ".,"}
    costs |= {kept + mark: RARE_MARK_COST for mark in ["", "?", "'"]}
    return costs | {read.translate(QUOTES): 0.0}


def _shortlist(costs: Mapping[str, float], vocabulary: Vocabulary, most: int) -> dict[str, float]:
    """Return the `most` cheapest texts of known words and `most` / 3 others."""
    ordered = sorted(costs, key=lambda text: costs[text])
    known = [text for text in ordered if is_known(text, vocabulary)]
    others = [text for text in ordered if not is_known(text, vocabulary)]
    return {text: costs[text] for text in [*known[:most], *others[: most // 3]]}


def is_known(text: str, vocabulary: Vocabulary) -> bool:
    """Return whether all words of a text are in the vocabulary. Marks alone count as known."""
    spans = ((token, _core(token)) for token in text.split())
    return all(token[s:e] in vocabulary or not _lettered(token) for token, (s, e) in spans)


@lru_cache(maxsize=1 << 16)
def _step_cost(written: str, read: str) -> float:
    """Return the cost of one edit of at most two characters on each side."""
    if written == read:
        return 0.0 if len(read) == 1 else math.inf
    cost = _table().get((written, read), math.inf)
    if len(written) == len(read) == 1:
        return min(cost, CASE_COST if written.lower() == read.lower() else OTHER_COST)
    if not read and len(written) == 1:
        return THIN_LOST_COST if written in THIN else OTHER_COST
    if not written and len(read) == 1:
        return OTHER_COST
    if read and written == read * 2:
        return THIN_LOST_COST
    return cost


def _choice_cost(written: str, read: str, choices: Mapping[str, float]) -> float:
    """Return the cost of one of the recogniser's alternatives: cheaper with higher confidence."""
    if written not in choices or written == read:
        return math.inf
    return CHOICE_COST + CHOICE_SLOPE * max(0.0, choices.get(read, 100.0) - choices[written]) / 100


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, str], float]:
    """Return the cost of each confusion, keyed by written and read text."""
    table = {("I ", read): ALIKE_COST for read in LIKE_I}
    for pair in ALIKE.split():
        first, _, second = pair.partition("/")
        table[first, second] = table[second, first] = ALIKE_COST
    return table


def _inside_words(written: str, read: str) -> bool:
    return all(mark.isalnum() or mark in _INSIDE_WORDS or mark in read for mark in written)


def _lettered(text: str) -> bool:
    """Return whether a text has word characters."""
    return any(character.isalnum() or character in "@&#$" for character in text)
