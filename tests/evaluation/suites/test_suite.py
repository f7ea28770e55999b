"""Reports of the suites: rows and JSON documents."""

from tests.evaluation.answers import GivenAnswers

from wordgate.evaluation.minimal_pairs import Pair, evaluate
from wordgate.evaluation.suites.suite import SUITES, Row

MODEL = GivenAnswers({"good": -1.0, "bad": -2.0}, {})
Others = dict[str, float | None]
RIGHT, WRONG = ("good", "bad"), ("bad", "good")


def test_blimp_stands_beside_the_published_figures() -> None:
    """By phenomenon beside four systems; the document has the fixed keys."""
    labels = {"phenomenon": "argument_structure", "term": "s-selection", "uid": "u1"}
    other = {"phenomenon": "argument_structure", "term": "argument_structure", "uid": "u2"}
    pairs = [Pair(*RIGHT, labels), Pair(*WRONG, labels), Pair(*RIGHT, other), Pair(*RIGHT, other)]
    result = evaluate(MODEL, pairs)
    published: Others = {"5-gram": 0.719, "LSTM": 0.732, "GPT-2": 0.818, "human": 0.9}
    overall: Others = {"5-gram": 0.612, "LSTM": 0.698, "GPT-2": 0.83, "human": 0.886}
    assert SUITES["blimp"].rows(result) == [
        Row("argument_structure", 4, 0.75, published),
        Row("overall", 4, 0.75, overall),
    ]
    document = SUITES["blimp"].document(result)
    assert document["accuracy"] == 0.75
    assert document["pairs"] == 4
    assert document["by_term"] == {"argument_structure": 1.0, "s-selection": 0.5}
    assert document["by_uid"] == {"u1": 0.5, "u2": 1.0}
    assert document["by_phenomenon"] == {"argument_structure": 0.75}
    assert document["published"]["human"]["accuracy"] == 0.886


def test_agreement_stands_by_number_of_misleading_nouns() -> None:
    """Each construction in total, without and with misleading nouns, where there are such pairs."""

    def pair(texts: tuple[str, str], kind: str, nouns: str) -> Pair:
        labels = {
            "type": kind,
            "misleading_nouns": nouns,
            "type_and_misleading_nouns": f"{kind} {nouns}",
        }
        return Pair(*texts, labels)

    pairs = [pair(RIGHT, "prep", "0"), pair(WRONG, "prep", "1"), pair(RIGHT, "simple", "0")]
    result = evaluate(MODEL, pairs)
    none, one = "0 misleading", "1 misleading"
    assert SUITES["agreement"].rows(result) == [
        Row("prep", 2, 0.5, {none: 1.0, one: 0.0}),
        Row("simple", 1, 1.0, {none: 1.0, one: None}),
        Row("overall", 3, 2 / 3, {none: 1.0, one: 0.0}),
    ]
    document = SUITES["agreement"].document(result)
    assert document["by_misleading_nouns"] == {"0": 1.0, "1": 0.0}
    assert "published" not in document
