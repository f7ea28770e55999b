"""Word and character error rates, counted by jiwer.

Knows texts only. An error rate is the edits (words substituted, left out and put in) over the
words that were said (Levenshtein 1966; NIST sclite counts the same).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import jiwer

from wordgate.offline.alternations import Alternation, Reference, fewest_edits
from wordgate.text import words
from wordgate.text.detokenization import ends_unspaced
from wordgate.text.normalization import normalise


class Normalise(StrEnum):
    """What is made equal before texts are compared."""

    NONE = "none"
    BASIC = "basic"


class Unit(StrEnum):
    """What an edit changes."""

    WORD = "word"
    CHAR = "char"


@dataclass(frozen=True)
class Counting:
    """How errors are counted.

    `none` compares tokens between white space as they are; `basic` the words of the normal form
    (lower case, plain quotes), punctuation left out. Characters of scripts that write no spaces are
    compared without spaces between them.
    """

    normalise: Normalise = Normalise.NONE
    unit: Unit = Unit.WORD

    def prepare(self, text: str) -> str:
        """The text as it is compared."""
        if self.normalise is Normalise.NONE:
            return " ".join(text.split())
        found = words.split(normalise(text))
        spoken = [word for word in found if not words.is_punctuation(word)]
        return " ".join(spoken) if self.unit is Unit.WORD else _joined(spoken)

    def length(self, reference: Reference) -> int:
        """Units of a reference; of alternatives the first counts."""
        text = reference.first if isinstance(reference, Alternation) else reference
        prepared = self.prepare(text)
        return len(prepared.split()) if self.unit is Unit.WORD else len(prepared)

    def errors(self, references: Sequence[Reference], transcripts: Sequence[str]) -> list[int]:
        """Edits between each reference and its transcript; of alternatives the nearest count."""
        plain = [reference for reference in references if isinstance(reference, str)]
        heard = [
            transcript
            for reference, transcript in zip(references, transcripts, strict=True)
            if isinstance(reference, str)
        ]
        counted = iter(self._errors(plain, heard) if plain else [])
        return [
            next(counted) if isinstance(reference, str) else self._fewest(reference, transcript)
            for reference, transcript in zip(references, transcripts, strict=True)
        ]

    def _fewest(self, reference: Alternation, transcript: str) -> int:
        parts = [[self._units(text) for text in part] for part in reference.parts]
        heard = self._units(transcript)
        fewest = fewest_edits(parts, heard)
        if self.unit is Unit.WORD:
            return fewest
        if any(units and units[-1] != " " for part in parts for units in part):
            return fewest
        if not heard:  # the space that all others end with is not missing
            return max(fewest - 1, 0)
        can_be_empty = all(any(not units for units in part) for part in parts)
        return min(fewest, len(heard) - 1) if can_be_empty else fewest

    def _units(self, text: str) -> Sequence[str]:
        """Words, or characters with a space behind each word, so that parts can be joined."""
        prepared = self.prepare(text)
        if self.unit is Unit.WORD:
            return prepared.split()
        return f"{prepared} " if prepared and not ends_unspaced(prepared) else prepared

    def _errors(self, references: Sequence[str], transcripts: Sequence[str]) -> list[int]:
        said = [self.prepare(reference) for reference in references]
        heard = [self.prepare(transcript) for transcript in transcripts]
        if self.unit is Unit.WORD:
            alignments = jiwer.process_words(said, heard).alignments
        else:
            alignments = jiwer.process_characters(said, heard).alignments
        return [
            sum(
                max(
                    chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx
                )
                for chunk in chunks
                if chunk.type != "equal"
            )
            for chunks in alignments
        ]


def _joined(found: Sequence[str]) -> str:
    """Words with a space between them, none beside those of scripts that write none."""
    text = ""
    for word in found:
        is_apart = text and not (words.is_unspaced(word[0]) or ends_unspaced(text))
        text += f" {word}" if is_apart else word
    return text


def written_otherwise(rate: float, basic: float) -> bool:
    """Return whether most errors are of capitals and punctuation: `basic` is the rate without."""
    return rate > 2 * basic + 0.05
