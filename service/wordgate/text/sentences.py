"""Sentence boundary detection, to capitalise the first word.

A sentence ends with a sentence-final mark followed by white space. Each line begins a sentence too.
A full stop without white space is part of a word (`file.txt`). A full stop after an abbreviation
(`e.g.`) or an initial (`the U.S.`) does not end a sentence. Chinese and Japanese full stops need no
white space.
"""

import re

from wordgate.text.normalization import LINE_BREAKS

_ENDS = frozenset(".!?…‼⁇⁈⁉։")
_ENDS_UNSPACED = frozenset("。！？｡．")
_INVISIBLE = "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_AROUND = re.compile(rf"[\"'()\[\]{{}}“”„‘’‚«»「」『』《》【】（）¿¡{_INVISIBLE}]")
"""Quotes and brackets that may stand between two sentences, and invisible characters such as
directional marks and the byte order mark."""

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
"""Abbreviations that are ordinary words when written in lower case."""

_LETTER_ABBREVIATIONS = frozenset("cpvгтс")
_CAPITAL_WORDS = frozenset("IЯОУА")
"""Single letters that are words, not initials, before a full stop."""


def begins_sentence(text: str) -> bool:
    """Return whether a word directly after `text` begins a sentence or a line.

    The caller includes any white space before the word in `text`.
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
    """Return whether the full stop at the end of a text belongs to an abbreviation or initial."""
    last = text[-_LONGEST:].rsplit(maxsplit=1)
    match = _abbreviation(last[-1]) if last else None
    if match is None:
        return False
    word = match.group()[:-1]
    if len(word) == 1:
        is_capital = word.isupper() and word not in _CAPITAL_WORDS
        return is_capital or word in _LETTER_ABBREVIATIONS
    return (
        _dotted(match.group()) is not None
        or word in _CAPITAL_ABBREVIATIONS
        or word.lower() in _ABBREVIATIONS
    )
