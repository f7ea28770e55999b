"""Measure suggestions of a person's own words: python examples/own_words.py FILE --own OWN.txt.

Types the messages of FILE, one per line, as `wordgate evaluate --keystroke-savings` does: with
general suggestions, with the words of OWN.txt boosted, with a continuous cache, and with both. The
boosted words are names and jargon: the most frequent ones of OWN.txt that the model reads as two
tokens or more. Each row has the keystroke savings on all words, and on the words of that kind in
FILE that stood earlier in the same message.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from wordgate.bundle.bundled_model import find_bundle
from wordgate.decoding.options import BoostedWord, ContinuousCache, LetterCase, Options
from wordgate.decoding.prediction import Query
from wordgate.engine.local_model import LocalModel
from wordgate.errors import WordgateError
from wordgate.evaluation.keystroke_savings import measure, read_messages, word_spans
from wordgate.text.normalization import normalise

PLAIN = Options(max_suggestions=3, letter_case=LetterCase.AS_TYPED, hide_rejected=True)


@dataclass(frozen=True)
class Recurrence:
    """A rare word of a message that stood earlier in it, and the text before it."""

    history: str
    word: str


def main() -> None:
    """Print one row per way of suggesting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--own", type=Path, required=True, metavar="OWN.txt")
    parser.add_argument("--model", default="en", help="bundle's folder or name [en]")
    parser.add_argument("--words", type=int, default=1000, help="most boosted words [1000]")
    parser.add_argument("--bonus", type=float, default=4.6, help="bonus in nats [4.6]")
    parser.add_argument("--cache", type=float, default=0.1, help="weight of the cache [0.1]")
    options = parser.parse_args()
    messages = read_messages(options.file)
    model = LocalModel.open(find_bundle(options.model))
    try:
        boosted = [
            BoostedWord(word, options.bonus)
            for word in own_words(model, read_messages(options.own), options.words)
        ]
        cached = replace(PLAIN, continuous_cache=ContinuousCache(options.cache))
        recurrences = [each for message in messages for each in recurring(model, message)]
        print(f"{len(messages)} messages, {len(recurrences)} rare words that recur")
        row(model, messages, recurrences, "general", PLAIN)
        row(model, messages, recurrences, "boosted", replace(PLAIN, boosted_words=boosted))
        row(model, messages, recurrences, "cache", cached)
        row(model, messages, recurrences, "both", replace(cached, boosted_words=boosted))
    finally:
        model.close()


def row(
    model: LocalModel,
    messages: list[str],
    recurrences: list[Recurrence],
    label: str,
    options: Options,
) -> None:
    """Print the savings with these options."""
    saved = measure(model, messages, options).rate
    characters = sum(len(each.word) + 1 for each in recurrences)
    keys = sum(typed_keys(model, each, options) for each in recurrences)
    recurring_saved = f"{1 - keys / characters:7.1%}" if characters else "-"
    print(
        f"{label:10} all words {saved:6.1%}   rare words that recur {recurring_saved}", flush=True
    )


def typed_keys(model: LocalModel, recurrence: Recurrence, options: Options) -> int:
    """Return the keys for a word and the space after it; a suggestion brings both for one key."""
    word = recurrence.word
    for typed in range(len(word)):
        query = Query(recurrence.history, word[:typed], options)
        suggestions = model.submit_predict(query).result().suggestions
        if word in (suggestion.text for suggestion in suggestions):
            return typed + 1
    return len(word) + 1


def own_words(model: LocalModel, texts: list[str], most: int) -> list[str]:
    """Return the most frequent rare words."""
    found = (word for text in texts for _, word in rare_words(model, text))
    return [word for word, _ in Counter(found).most_common(most)]


def recurring(model: LocalModel, message: str) -> Iterator[Recurrence]:
    """Yield the rare words of a message that stood earlier in it."""
    seen = set()
    for start, word in rare_words(model, message):
        if word in seen:
            yield Recurrence(message[:start], word)
        seen.add(word)


def rare_words(model: LocalModel, text: str) -> Iterator[tuple[int, str]]:
    """Yield the words of at least four letters that the model reads as two tokens or more."""
    tokenizer = model.served.bundle.language.tokenizer
    for start, end in word_spans(text):
        word = text[start:end]
        if len(word) >= 4 and word.isalpha() and len(tokenizer.encode_word(normalise(word))) > 1:
            yield start, word


if __name__ == "__main__":
    try:
        main()
    except (WordgateError, OSError) as error:
        sys.exit(f"own_words: {error}")
