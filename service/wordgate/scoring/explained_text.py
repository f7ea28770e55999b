"""The words and tokens of a text to explain, and the same text without a clue."""

from collections.abc import Sequence
from dataclasses import dataclass

from wordgate.errors import InvalidInput
from wordgate.lm.tokenizer import EOS, EOS_NAME, Tokenizer
from wordgate.text import words
from wordgate.text.cooperative_steps import Steps
from wordgate.text.normalization import normalising, normalising_with_offsets, split_lines

MAX_EXPLAINED_WORDS = 255
MAX_EXPLAINED_TOKENS = 512
"""Up to these limits, a history is read from its start (`lm.context_window`)."""


@dataclass(frozen=True, slots=True)
class TextWord:
    """A word as written, in normal form, and its tokens."""

    text: str
    word: str
    tokens: tuple[int, ...]

    @property
    def is_end(self) -> bool:
        """Whether this is the end of a line or of the text."""
        return self.tokens == (EOS,)


END = TextWord("", EOS_NAME, (EOS,))
"""The end of a line or of the text."""


def read_text(tokenizer: Tokenizer, text: str, *, count_eos: bool) -> Steps[list[TextWord]]:
    """Return the words of a text, with the ends of its lines, and with its end if that counts.

    Leading, trailing and repeated line breaks are ignored. Raises `InvalidInput` naming `text` for
    a text without words, above the limits or with a lone surrogate.
    """
    found: list[TextWord] = []
    for line in split_lines(text):
        of_line = yield from _words_of(tokenizer, line)
        if of_line and found:
            found.append(END)
        found += of_line
        _check("words", len(found), MAX_EXPLAINED_WORDS)
    _check("tokens", sum(len(word.tokens) for word in found), MAX_EXPLAINED_TOKENS)
    if not found:
        raise InvalidInput("text", "has no word; send at least one")
    return [*found, END] if count_eos else found


def _words_of(tokenizer: Tokenizer, line: str) -> Steps[list[TextWord]]:
    normal = yield from normalising_with_offsets(line, "text")
    spans = yield from words.finding_spans(normal.text)
    _check("words", len(spans), MAX_EXPLAINED_WORDS)
    normal_words = [normal.text[first:after] for first, after in spans]
    tokens = yield from tokenizer.encoding_each(normal_words)
    return [
        TextWord(line[normal.starts[first] : normal.ends[after - 1]].strip(), word, word_tokens)
        for (first, after), word, word_tokens in zip(spans, normal_words, tokens, strict=True)
    ]


def _check(kind: str, count: int, most: int) -> None:
    if count > most:
        raise InvalidInput("text", f"has at least {count} {kind}; send at most {most}")


@dataclass(frozen=True, slots=True)
class Remainder:
    """The words after a clue that was left out.

    `indices` are their indices in the text. The words before index `start` precede them.
    """

    start: int
    indices: list[int]


def leave_out(text: Sequence[TextWord], without: str) -> Steps[Remainder]:
    """Return what follows the first occurrence of the words of `without`.

    If a whole line is left out, so is one of the line ends around it. Raises `InvalidInput` naming
    `without` if it does not occur as whole words, or if no words or nothing after it would be left.
    """
    normal = yield from normalising(without, "without")
    clue = yield from words.splitting(normal)
    all_words = [word.word if not word.is_end else words.LINE_END for word in text]
    yield
    start = _find(clue, all_words)
    left = list(range(start + len(clue), len(text)))
    before_line = start == 0 or text[start - 1].is_end
    if before_line and left and text[left[0]].is_end:
        if len(left) > 1:
            del left[0]
        elif start:
            start -= 1
    if not left or (start == 0 and all(text[index].is_end for index in left)):
        raise InvalidInput("without", "leaves no words after it; leave out fewer words")
    return Remainder(start, left)


def _find(clue: Sequence[str], all_words: Sequence[str]) -> int:
    """Return the index of the first occurrence of a clue."""
    if not clue:
        raise InvalidInput("without", "has no word; send words of the text")
    for start in range(len(all_words) - len(clue) + 1):
        if all_words[start : start + len(clue)] == list(clue):
            return start
    raise InvalidInput("without", "does not occur in the text as whole words of one line")
