"""Word and character error rates, computed with jiwer.

The error rate is the number of substitutions, deletions and insertions divided by the number of
reference words (Levenshtein 1966; the same as NIST sclite).
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
    """Text normalisation before comparison."""

    NONE = "none"
    BASIC = "basic"


class Unit(StrEnum):
    """Unit of an edit."""

    WORD = "word"
    CHAR = "char"


@dataclass(frozen=True)
class Counting:
    """Error counting: text normalisation and unit.

    `none` compares white-space-separated tokens unchanged; `basic` compares the words of the normal
    form (lower case, plain quotes) without punctuation. Character error rates omit spaces in
    scripts that are written without them.
    """

    normalise: Normalise = Normalise.NONE
    unit: Unit = Unit.WORD

    def prepare(self, text: str) -> str:
        """Return the text in the form that is compared."""
        if self.normalise is Normalise.NONE:
            return " ".join(text.split())
        text_words = words.split(normalise(text))
        spoken = [word for word in text_words if not words.is_punctuation(word)]
        return " ".join(spoken) if self.unit is Unit.WORD else _joined(spoken)

    def length(self, reference: Reference) -> int:
        """Return the number of units of a reference, with the first of any alternatives."""
        text = reference.first if isinstance(reference, Alternation) else reference
        prepared = self.prepare(text)
        return len(prepared.split()) if self.unit is Unit.WORD else len(prepared)

    def errors(self, references: Sequence[Reference], transcripts: Sequence[str]) -> list[int]:
        """Return the edits between each reference and its transcript.

        For references with alternatives, the nearest text counts.
        """
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
        if not heard:  # do not count the trailing space as an error
            return max(fewest - 1, 0)
        can_be_empty = all(any(not units for units in part) for part in parts)
        return min(fewest, len(heard) - 1) if can_be_empty else fewest

    def _units(self, text: str) -> Sequence[str]:
        """Split into words, or into characters with a space after each word to join parts."""
        prepared = self.prepare(text)
        if self.unit is Unit.WORD:
            return prepared.split()
        return f"{prepared} " if prepared and not ends_unspaced(prepared) else prepared

    def _errors(self, references: Sequence[str], transcripts: Sequence[str]) -> list[int]:
        prepared = [self.prepare(reference) for reference in references]
        heard = [self.prepare(transcript) for transcript in transcripts]
        if self.unit is Unit.WORD:
            alignments = jiwer.process_words(prepared, heard).alignments
        else:
            alignments = jiwer.process_characters(prepared, heard).alignments
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


def _joined(text_words: Sequence[str]) -> str:
    """Join words with spaces, except in scripts that are written without them."""
    text = ""
    for word in text_words:
        is_apart = text and not (words.is_unspaced(word[0]) or ends_unspaced(text))
        text += f" {word}" if is_apart else word
    return text


def written_otherwise(rate: float, basic: float) -> bool:
    """Return whether most errors are in case or punctuation; `basic` is the rate without these."""
    return rate > 2 * basic + 0.05
