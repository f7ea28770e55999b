"""`wordgate explain`: table, JSON, pictures, pages and errors."""

import math
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.cli.calling import Run
from tests.running import RunningServer

from wordgate.engine.local_model import LocalModel
from wordgate.plots import canvas

TEXT = "I grew up in London\nthe sun & <sea> 🦆 上海"
FIGURES = {
    *(f"{gate}_{kind}" for gate in ("input", "forget", "output") for kind in ("mean", "shut")),
    *(f"{gate}_open" for gate in ("input", "forget", "output")),
    *("candidate_mean", "candidate_mean_abs", "cell_mean", "cell_mean_abs", "cell_max_abs"),
    "half_life",
}


def test_json_has_words_tokens_and_layers(run: Run, bundle: Path, local: LocalModel) -> None:
    """The document has the surprisal of each word and token, and the figures of each layer."""
    found = run("explain", TEXT, "--model", bundle, "--json").document
    assert found["log_prob"] == pytest.approx(-sum(word["surprisal"] for word in found["words"]))
    assert [word["text"] for word in found["words"][3:6]] == ["in", "London", ""]
    assert found["model"]["name"] == "tiny"
    words = [word["text"] or word["word"] for word in found["words"]]
    for token in found["tokens"]:
        assert token["word"] == words[token["word_index"]]
        assert len(token["alternatives"]) == 5
        assert [set(layer) for layer in token["layers"]] == [FIGURES] * 2
    assert found["words"][0]["alternatives"][0].keys() == {"word", "log_prob"}
    assert "log_prob_without" not in found["words"][8]
    assert found["counted_eos"]


def test_a_server_explains_like_a_local_model(
    run: Run, bundle: Path, server: RunningServer
) -> None:
    """The same figures, with units and without a clue."""
    options = ("--without", "I grew up in London", "--units", "--top-k", "2", "--no-eos", "--json")
    here = run("explain", TEXT, "--model", bundle, *options).document
    there = run("explain", TEXT, "--server", server.address, *options).document
    assert here == there
    assert len(here["tokens"][0]["layers"][1]["units"]["forget"]) == 32
    assert "log_prob_without" in here["words"][6]
    assert not here["counted_eos"]


def test_the_table_has_a_row_per_word(run: Run, bundle: Path) -> None:
    """Words as written, bits, also without a clue, bars, and the likeliest words."""
    found = run("explain", "I was in London [b]", "--model", bundle)
    assert found.code == 0, found.err
    assert all(word in found.out for word in ("London", "[", "<eos>", "bits per word", "█"))
    assert "without" not in found.out
    compared = run("explain", "I was in London", "--without", "I was", "--model", bundle)
    assert "without" in compared.out
    clue = ("explain", "I was in London", "--without", "I was", "--model", bundle, "--json")
    without = run(*clue).document["words"][3]["log_prob_without"]
    assert f"{-without / math.log(2):.1f}" in compared.out
    plain = run("explain", "I was in London", "--top-k", "0", "--model", bundle)
    assert "likeliest" not in plain.out


class _Page(HTMLParser):
    """Collects the tags, addresses and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [str(value) for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_self_contained(run: Run, bundle: Path, tmp_path: Path) -> None:
    """It has no script, no address and no text that becomes markup."""
    path = tmp_path / "page.html"
    hostile = "<script>alert(1)</script> & \"the sea\" '上海'"
    found = run("explain", hostile, "--without", "alert", "--html", path, "--model", bundle)
    assert found.code == 0, found.err
    assert f"wrote {path}" in found.err.replace("\n", "")
    written = path.read_text("utf-8")
    page = _Page(written)
    assert "script" not in page.tags
    assert page.addresses == []
    assert "http" not in written.replace("http-equiv", "")
    assert "default-src 'none'" in written
    assert "prefers-color-scheme" in written or "color-scheme: light dark" in written
    assert all(word in page.text for word in ("script", "上", "without the clue", "Forget gate"))
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_is_drawn(run: Run, bundle: Path, tmp_path: Path) -> None:
    """As PNG or SVG, by the ending of the name."""
    for name, begins in (("gates.png", b"\x89PNG"), ("gates.svg", b"<?xml")):
        found = run("explain", TEXT, "--plot", tmp_path / name, "--model", bundle)
        assert found.code == 0, found.err
        assert (tmp_path / name).read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("options", "code", "problem"),
    [
        (["", "--top-k", "5"], 2, "TEXT: has no word"),
        (["a", "--top-k", "101"], 2, "--top-k: is 101"),
        (["the sun", "--without", "sea"], 2, "--without: does not occur"),
        (["the sun", "--units"], 2, "--units: requires --json"),
        (["a " * 256], 2, "TEXT: has at least 256 words; send at most 255"),
        (["a", "--plot", "gates.pdf"], 3, "gates.pdf: is neither .png nor .svg"),
        (["a", "--plot", "missing/gates.png"], 3, "missing: does not exist"),
        (["a", "--html", "."], 3, ".: is a folder; name a file"),
        (["a", "--html", ""], 2, "--html: is empty"),
    ],
)
def test_mistakes_are_named(
    run: Run,
    bundle: Path,
    options: list[str],
    code: int,
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is one line with the flag or file, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    found = run("explain", *options, "--model", bundle)
    assert (found.code, found.out) == (code, "")
    assert f"wordgate: {problem}" in found.err
    assert list(tmp_path.iterdir()) == []


def test_files_are_checked_before_the_model_is_loaded(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing library or an unwritable file is reported, not the missing model."""
    nowhere = ("--model", tmp_path / "no-model")
    monkeypatch.setattr(canvas, "find_spec", lambda name: None)
    found = run("explain", "a", "--plot", tmp_path / "a.png", *nowhere)
    assert "pip install 'wordgate[plots]'" in found.err
    assert found.code == 1
    found = run("explain", "a", "--html", tmp_path / "missing" / "a.html", *nowhere)
    assert (found.code, "missing: does not exist" in found.err) == (3, True)
