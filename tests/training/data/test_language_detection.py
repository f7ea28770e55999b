"""Language detection."""

import pytest

from wordgate.training.data.language_detection import detect


@pytest.mark.parametrize(
    ("passages", "language"),
    [
        (["The meeting was moved to Thursday, so please bring your notes."], "en"),
        (["Сегодня хорошая погода, и мы пойдём гулять в парк."], "ru"),
        (["今天天气很好，我们去公园散步吧。你觉得怎么样？"], "zh"),
        (["今日は天気がいいから、公園へ散歩に行きましょう。"], "ja"),
        (["Heute ist das Wetter schön, wir gehen im Park spazieren."], "de"),
        (["วันนี้อากาศดีมาก เราไปเดินเล่นที่สวนสาธารณะกันเถอะ"], "th"),
        ([], "und"),
    ],
)
def test_the_language_of_most_of_the_text(passages: list[str], language: str) -> None:
    """The result is a BCP 47 tag; `und` for an empty text."""
    assert detect(passages) == language


def test_a_few_foreign_lines_do_not_decide() -> None:
    """The language with most of the text, by length, is returned."""
    english = ["We will meet at the station and walk to the office together."] * 5
    assert detect([*english, "Guten Tag, wie geht es Ihnen?"]) == "en"


def test_no_majority_is_no_language() -> None:
    """Without a majority the language is `und`; the user can set it in the recipe."""
    texts = [
        "Сегодня хорошая погода, идём.",
        "Il fait beau aujourd'hui, on sort.",
        "今天天气很好。",
    ]
    assert detect([*texts, "Heute ist das Wetter schön."]) == "und"
