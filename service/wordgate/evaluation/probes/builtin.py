"""Built-in data of four properties, generated from templates.

Words are combined so that neither the word itself nor the nearest noun gives the label away, and
the nouns, names or texts that carry the property are held out together.
"""

import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from itertools import chain
from random import Random
from typing import Any

from wordgate.errors import InvalidConfiguration
from wordgate.evaluation.probes.examples import Example, ProbeData

_SEED = 1
_TEXTS = 240
_LANGUAGES = ("en", "zh")

PROPERTIES = ("number", "gender", "quote", "position")


@cache
def _words(language: str) -> dict[str, Any]:
    source = files("wordgate.evaluation.probes").joinpath(f"words_{language}.toml")
    return tomllib.loads(source.read_text("utf-8"))


def languages_of(name: str) -> list[str]:
    """Return the languages of the built-in data of a property."""
    return [language for language in _LANGUAGES if name in _words(language)["traces"]]


def builtin(name: str, language: str) -> ProbeData:
    """Return the data of a property in a model's language (a BCP 47 tag).

    Raises `InvalidConfiguration` naming `probe` for a property without data in this language.
    """
    code = language.partition("-")[0].lower()
    if code not in languages_of(name):
        known = ", ".join(languages_of(name))
        problem = f"the texts of {name} are in {known}, but the model's language is {language}"
        raise InvalidConfiguration("probe", f"{problem}; use a file of your own")
    random = Random(_SEED)
    make: Callable[[Random, str], Iterator[Example]] = {
        "number": _number,
        "gender": _gender,
        "quote": _quote,
        "position": _position,
    }[name]
    return ProbeData(
        name, list(make(random, code)), _words(code)["traces"][name], name == "position"
    )


def _number(random: Random, language: str) -> Iterator[Example]:
    """Subjects before a noun of either number; each word between subject and verb is an example."""
    nouns = _words(language)["nouns"]
    for noun in nouns:
        for number, other_number in ((0, 0), (0, 1), (1, 0), (1, 1)):
            for kind in ("phrase", "clause"):
                other = random.choice([each for each in nouns if each is not noun])[other_number]
                if kind == "phrase":
                    rest = [random.choice(("near", "behind", "beside", "with")), "the", other]
                else:
                    verb = random.choice(("like", "know", "see"))
                    rest = ["that", "the", other, verb if other_number else f"{verb}s"]
                label = ("singular", "plural")[number]
                yield from _after(["the", noun[number]], rest, label, noun[0])


def _gender(random: Random, language: str) -> Iterator[Example]:
    """First names, then words that fit either gender; each of these words is an example."""
    for label, names in _words(language)["names"].items():
        for name in names:
            for deed in _words(language)["deeds"]:
                yield from _after([name], deed.split(), label, name)


def _after(start: list[str], rest: list[str], label: str, group: str) -> Iterator[Example]:
    text = " ".join(start + rest)
    for place in range(len(rest)):
        yield Example(text, len(start) + place, label, group)


def _quote(random: Random, language: str) -> Iterator[Example]:
    """Clauses inside and outside quotation marks, in both orders; each of their words."""
    known = _words(language)
    clauses = [_split(clause, language) for clause in known["clauses"]]
    for number in range(_TEXTS):
        inner, outer = random.sample(clauses, 2)
        speaker = _split(random.choice(known["speakers"]), language)
        link = random.choice(known["links"])
        quoted = [('"', ""), *((word, "inside") for word in inner), ('"', "")]
        plain = [(word, "outside") for word in outer]
        before = [(word, "") for word in [*speaker, "," if language == "en" else ":"]]
        if number % 2:
            parts = [before, quoted, [(link, "")], plain]
        else:
            parts = [plain, [(link, "")], before, quoted]
        found = list(chain.from_iterable(parts))
        text = _joined([word for word, _ in found], language)
        for place, (_, label) in enumerate(found):
            if label:
                yield Example(text, place, label, str(number))


def _position(random: Random, language: str) -> Iterator[Example]:
    """Clauses in any order; each word is an example, its number in the text the value."""
    known = _words(language)
    for number in range(_TEXTS // 2):
        found: list[str] = []
        for clause in random.sample(known["clauses"], 4):
            link = [random.choice(known["links"])] if found else []
            found += [*link, *_split(clause, language)]
        text = _joined(found, language)
        for place in range(len(found)):
            yield Example(text, place, str(place + 1), str(number))


def _joined(found: list[str], language: str) -> str:
    return ("" if language == "zh" else " ").join(found)


def _split(clause: str, language: str) -> list[str]:
    """Return the words of a clause: characters in Chinese."""
    return list(clause) if language == "zh" else clause.split()
