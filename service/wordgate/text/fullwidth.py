"""Fullwidth punctuation in Chinese and Japanese text. The normal form has plain marks instead."""

import re

_FULLWIDTH = {",": "，", "!": "！", "?": "？", ":": "：", ";": "；", "(": "（", ")": "）"}

_CJK = (
    "\u3001-\u3003\u3005-\u3011\u3014-\u301f\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff01-\uff60\U00020000-\U0003ffff"
)
"""Chinese and Japanese letters and punctuation."""

_ends_in_cjk = re.compile(rf"[{_CJK}][\"'”’]?\Z").search
_plain_mark = re.compile(rf"[{_CJK}][,!?:;(]").search
_fullwidth_mark = re.compile("[，！？：；（]").search
_last_bracket = re.compile(r"[(（][^()（）]*\Z").search

_LONGEST = 200
"""Number of characters at the end of a text that decide which form of marks it uses."""


def as_marked(text: str, word: str) -> str:
    """Return a normalised word with its punctuation in the width that the text uses.

    A mark after a Chinese or Japanese letter is fullwidth, unless the text uses plain marks there.
    A closing bracket has the width of the opening one. Other words are returned unchanged.
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
