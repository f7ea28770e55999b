"""Punctuation as Chinese and Japanese text writes it: fullwidth, which its normal form is not."""

import re

_FULLWIDTH = {",": "，", "!": "！", "?": "？", ":": "：", ";": "；", "(": "（", ")": "）"}

_CJK = (
    "\u3001-\u3003\u3005-\u3011\u3014-\u301f\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff01-\uff60\U00020000-\U0003ffff"
)
"""Letters and marks of Chinese and Japanese."""

_ends_in_cjk = re.compile(rf"[{_CJK}][\"'”’]?\Z").search
_plain_mark = re.compile(rf"[{_CJK}][,!?:;(]").search
_fullwidth_mark = re.compile("[，！？：；（]").search
_last_bracket = re.compile(r"[(（][^()（）]*\Z").search

_LONGEST = 200
"""Characters of the end of a text that tell how it writes marks."""


def as_marked(text: str, word: str) -> str:
    """Return a word in normal form as it is written right behind a text.

    A mark behind a letter of Chinese or Japanese is fullwidth, unless the text writes plain ones
    there; a bracket is closed as it was opened.
    """
    mark = _FULLWIDTH.get(word)
    if mark is None or text.isascii():
        return word
    end = text[-_LONGEST:]
    opened = _last_bracket(end) if word == ")" else None
    if opened is not None:
        return mark if opened.group()[0] == "（" else word
    if not _ends_in_cjk(end) or (_plain_mark(end) and not _fullwidth_mark(end)):
        return word
    return mark
