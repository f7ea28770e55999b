"""The playground's files, without a browser."""

import re
from pathlib import Path

import pytest
from tests.running import RunningServer
from tests.server.http.asking import ask

from wordgate.server.http.playground import playground

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "service" / "wordgate" / "server" / "http" / "playground"
FILES = sorted(PAGE.iterdir())
MAX_BYTES = 150_000
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def test_the_page_may_load_nothing_from_elsewhere(http_server: RunningServer) -> None:
    """Its content-security-policy allows files of its own server only, and no inline code."""
    answer = ask(http_server, "GET", "/")
    assert (answer.status, answer.headers["content-type"]) == (200, TYPES[".html"])
    policy = dict(
        one.split(" ", 1) for one in answer.headers["content-security-policy"].split("; ")
    )
    sources = {name: value for name, value in policy.items() if value != "'none'"}
    assert sources == dict.fromkeys(("connect-src", "img-src", "script-src", "style-src"), "'self'")
    assert {"default-src", "base-uri", "form-action", "frame-ancestors"} <= policy.keys()
    assert b"<title>" in answer.body


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_have_strict_types(http_server: RunningServer, file: Path) -> None:
    """A browser takes each file for what it is and nothing else, and has it by its own name."""
    path = "/" if file.name == "index.html" else f"/{file.name}"
    answer = ask(http_server, "GET", path)
    assert answer.body == file.read_bytes()
    assert answer.headers["content-type"] == TYPES[file.suffix]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/index.html", "/../load.py", "/%2e%2e/load.py", "//main.js"])
def test_no_other_path_is_a_page(http_server: RunningServer, path: str) -> None:
    """Paths are looked up in a table, not on disk."""
    assert ask(http_server, "GET", path).status == 404


def test_head_has_no_body(http_server: RunningServer) -> None:
    """HEAD answers with the headers of GET."""
    answer = ask(http_server, "HEAD", "/")
    assert (answer.status, answer.body) == (200, b"")
    assert "content-security-policy" in answer.headers


def test_the_page_is_small() -> None:
    """All files together have at most 150 KB."""
    assert sum(len(page.body) for page in playground().values()) <= MAX_BYTES


def test_files_name_no_other_server() -> None:
    """The only addresses in the files are names of XML namespaces."""
    named = [
        each
        for file in FILES
        for each in re.findall(r"https?://[^\s\"'`]+", file.read_text("utf-8"))
    ]
    assert set(named) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize(
    "picture",
    sorted((ROOT / "docs" / "pictures").glob("playground-*.png")),
    ids=lambda picture: picture.name,
)
def test_the_pictures_are_small(picture: Path) -> None:
    """Each has at most 150 KB."""
    assert picture.stat().st_size <= MAX_BYTES
