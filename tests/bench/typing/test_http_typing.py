"""The benchmark of typing over HTTP."""

from pathlib import Path

from wordgate.bench.local_server import local_server
from wordgate.bench.typing.http_typing import run


def test_all_ways_type_the_same_keys(bundle: Path) -> None:
    """Each way answers each key; figures are positive."""
    with local_server(bundle, 1, more=["--http-listen", "127.0.0.1:0"]) as server:
        figures = run(server, ["the cat", "a dog"], 3)
    assert figures["keys_in_each"] == 12
    for way in ("session", "unary", "http"):
        assert 0 < figures[way]["p50_ms"] <= figures[way]["p99_ms"]
