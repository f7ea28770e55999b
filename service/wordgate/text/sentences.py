"""Where sentences begin, so that a word there is written with a capital.

A sentence ends with a mark that ends sentences and white space behind it; a line begins one too. A
full stop without white space stands inside something (`file.txt`), and one behind an abbreviation
(`e.g.`) or an initial (`the U.S.`) ends nothing. The full stops of Chinese and Japanese have no
white space behind them.
"""

import re

from wordgate.text.normalization import LINE_BREAKS

_ENDS = frozenset(".!?…‼⁇⁈⁉։")
_ENDS_UNSPACED = frozenset("。！？｡．")
_INVISIBLE = "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_AROUND = re.compile(rf"[\"'()\[\]{{}}“”„‘’‚«»「」『』《》【】（）¿¡{_INVISIBLE}]")
"""Marks that may stand between the end of a sentence and the beginning of the next, and invisible
characters: marks of direction, the byte order mark."""

_LONGEST = 64
_LINE_END = re.compile(rf"[{LINE_BREAKS}]")
_abbreviation = re.compile(r"(?<!\w)[^\W\d_]+(?:\.[^\W\d_]+)*\.\Z").search
_dotted = re.compile(r"(?:[^\W\d_]{1,2}\.){2,}").fullmatch

_ENGLISH = (
    "adm approx apr apt assoc aug ave bldg blvd brig capt cent cf cmdr co col corp cpl dec dept dr"
    " eds esp esq est et etc excl ext feb fig figs fri ft gen gov hon hr hrs inc incl jan jr jul"
    " jun lb lbs lt ltd maj messrs misc mr mrs ms mt mon nos nov oct op oz pp pres prof pvt"
    " rd rep rev sec sen sep sept sgt sq sr ss st ste supt tel thu thur thurs tue tues univ viz vol"
    " vols vs wed al"
)
_OTHERS = (  # German, French, Spanish, Italian, Portuguese, Dutch; Russian
    "abb bzw ca dott dra ecc env evtl ggf hrsg inkl jh mme núm nr pag pág sig sra srta str ud uds"
    " usw vgl zzgl bijv blz enz"
    " г гг др им млн млрд напр пр руб см стр т тыс ул"
)
_ABBREVIATIONS = frozenset([*_ENGLISH.split(), *_OTHERS.split()])
_CAPITAL_ABBREVIATIONS = frozenset(("No", "Nos"))
"""Abbreviations that without a capital are words."""

_LETTER_ABBREVIATIONS = frozenset("cpvгтс")
_CAPITAL_WORDS = frozenset("IЯОУА")
"""Letters that are words, not initials, when they stand before a full stop."""


def begins_sentence(text: str) -> bool:
    """Return whether a word behind `text` begins a sentence or a line.

    The word follows without more white space than the text ends with.
    """
    written = text.rstrip()
    before = end = written[-_LONGEST:]
    while before and (before[-1].isspace() or _AROUND.match(before[-1])):
        before = before[:-1]
    rest = end[len(before) :] + text[len(written) :]
    if not before or _LINE_END.search(rest):
        return True
    mark = before[-1]
    if mark in _ENDS_UNSPACED:
        return True
    is_apart = any(map(str.isspace, rest)) or before[-2:-1].isspace()
    if mark not in _ENDS or not is_apart:
        return False
    return mark != "." or not is_abbreviated(before)


def is_abbreviated(text: str) -> bool:
    """Return whether the full stop that ends a text belongs to an abbreviation or an initial."""
    last = text[-_LONGEST:].rsplit(maxsplit=1)
    found = _abbreviation(last[-1]) if last else None
    if found is None:
        return False
    word = found.group()[:-1]
    if len(word) == 1:
        is_capital = word.isupper() and word not in _CAPITAL_WORDS
        return is_capital or word in _LETTER_ABBREVIATIONS
    return (
        _dotted(found.group()) is not None
        or word in _CAPITAL_ABBREVIATIONS
        or word.lower() in _ABBREVIATIONS
    )
