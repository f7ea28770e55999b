"""The view "Choose" in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from wordgate.client import Client
from wordgate.scoring.hypothesis import Hypothesis
from wordgate.scoring.score_weights import ScoreWeights

CANDIDATES = {"the cat sat": -10.0, "the dog ate": -11.0, "the sky": -12.0}
SCORED = "\n".join(f"{text} | {score}" for text, score in CANDIDATES.items())


@pytest.fixture
def page(page: Page) -> Page:
    """The page at this view."""
    page.click("#tab-choose")
    return page


def ranked(page: Page) -> list[str]:
    """Return the texts of the ranking."""
    return page.locator("#ranking .text").all_inner_texts()


def enter(page: Page, candidates: str, history: str = "in the house") -> None:
    """Fill in the form and wait for the ranking."""
    page.fill("#before-candidates", history)
    with page.expect_response("**/Rescore"):
        page.fill("#candidates", candidates)


def test_the_ranking_is_that_of_the_server(page: Page, english: Client) -> None:
    """Order, posterior and totals are those of `Rescore` over gRPC."""
    enter(page, SCORED)
    hypotheses = [
        Hypothesis(text, {"acoustic_log_prob": score}) for text, score in CANDIDATES.items()
    ]
    found = english.rescore("in the house", hypotheses, ScoreWeights(lm_weight=1.0))
    transcripts = found.ranking.transcripts
    expect(page.locator("#ranking .text")).to_have_text([each.text for each in transcripts])
    for row, each in zip(page.locator("#ranking li").all(), transcripts, strict=True):
        total = f"total {each.total:.1f}".replace("-", "−")
        expect(row.locator(".parts")).to_contain_text(total)


def test_the_slider_ranks_again(page: Page) -> None:
    """With weight 0, the recogniser decides alone. The slider obeys the keyboard."""
    enter(page, SCORED)
    page.focus("#lm-weight")
    page.keyboard.press("Home")
    expect(page.locator("#lm-weight-value")).to_have_text("0.00")
    expect(page.locator("#ranking .text")).to_have_text(list(CANDIDATES))
    page.keyboard.press("ArrowRight")
    expect(page.locator("#lm-weight-value")).to_have_text("0.25")


def test_without_scores_the_model_decides(page: Page, english: Client) -> None:
    """The weight has no effect then, so its slider is off."""
    enter(page, "\n".join(CANDIDATES))
    expect(page.locator("#lm-weight")).to_be_disabled()
    found = english.score("in the house", list(CANDIDATES))
    best = sorted(found.candidates, key=lambda each: -each.log_prob)
    expect(page.locator("#ranking .text")).to_have_text([each.text for each in best])


def test_a_score_may_follow_a_tab(page: Page) -> None:
    """Columns of a table can be pasted, with any minus sign."""
    enter(page, "the cat\t−10\nthe dog\t-12.5")
    expect(page.locator("#ranking .parts").first).to_contain_text("recogniser −10.0")


@pytest.mark.parametrize(
    ("candidates", "problem"),
    [
        ("the cat | -10\nthe dog", "Line 2 has no score"),
        ("the cat | loud", "Line 1: “loud” is not a number"),
    ],
)
def test_a_bad_line_is_named(page: Page, candidates: str, problem: str) -> None:
    """The page says what is wrong before it asks the server."""
    page.fill("#candidates", candidates)
    expect(page.get_by_role("alert")).to_contain_text(problem)
    page.fill("#candidates", "the cat")
    expect(page.locator("#problem")).to_be_hidden()


def test_the_first_candidate_is_announced(page: Page) -> None:
    """A screen reader hears the new winner."""
    enter(page, "the cat\nthe cat sat on the mat in the house by the sea")
    expect(page.locator("#ranked")).to_contain_text("First: the cat, ")


def test_chinese_has_an_example_of_its_own(page: Page, chinese: Client) -> None:
    """Another model fills in an example in its language, and ranks it."""
    page.select_option("#model", "zh")
    expect(page.locator("#candidates")).to_have_value(
        "天汽很好 | -310.0\n天气很好 | -311.5\n田七很好 | -312.0"
    )
    expect(page.locator("#ranking li")).to_have_count(3)
    assert page.get_attribute("#ranking", "lang") == "zh-Hans"


def test_another_model_keeps_what_the_user_wrote(page: Page) -> None:
    """Only examples are replaced."""
    enter(page, "my own words")
    page.select_option("#model", "zh")
    expect(page.locator("#candidates")).to_have_value("my own words")
