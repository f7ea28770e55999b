"""Reloading files when they change."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from wordgate.errors import InvalidFile
from wordgate.server.security.file_reloader import FileReloader
from wordgate.server.telemetry.metrics import Metrics


class _Reader:
    """Reads a file, or rejects it if its content says so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[str] = []

    def __call__(self) -> None:
        text = self.path.read_text("utf-8") if self.path.exists() else "bad"
        if text == "bad":
            raise InvalidFile(self.path, "is bad")
        self.found.append(text)


@pytest.fixture
def reader(tmp_path: Path) -> _Reader:
    """A reader of a file of one word."""
    path = tmp_path / "file"
    path.write_text("one")
    return _Reader(path)


@pytest.fixture
def metrics() -> Metrics:
    """Metrics of one server."""
    return Metrics()


@pytest.fixture
def reloading(reader: _Reader, metrics: Metrics) -> FileReloader:
    """A reloader of the file."""
    made = FileReloader(metrics)
    made.watch("tokens", [reader.path], reader)
    return made


async def test_a_change_counts_when_it_has_settled(
    reloading: FileReloader, reader: _Reader
) -> None:
    """A change is read once, at the second poll that finds the same."""
    await reloading.look()
    reader.path.write_text("second")
    await reloading.look()
    reader.path.write_text("third, longer")
    await reloading.look()
    assert reader.found == []
    await reloading.look()
    await reloading.look()
    assert reader.found == ["third, longer"]


async def test_an_invalid_file_is_logged_once(
    reloading: FileReloader, reader: _Reader, metrics: Metrics
) -> None:
    """Each change has one log line and one count, and a valid file is read afterwards."""
    with capture_logs() as logged:
        for text in ("bad", "better"):
            reader.path.write_text(text)
            for _ in range(4):
                await reloading.look()
    assert [line["log_level"] for line in logged] == ["error", "info"]
    assert reader.path.name in logged[0]["problem"]
    assert reader.found == ["better"]
    assert _count(metrics, "rejected") == _count(metrics, "read") == 1


async def test_any_error_keeps_the_previous_content(
    reloading: FileReloader, reader: _Reader, metrics: Metrics
) -> None:
    """An unexpected error is logged with its type and counted, and later changes are read."""
    with capture_logs() as logged:
        reader.path.write_bytes(b"\xff")
        for _ in range(2):
            await reloading.look()
        reader.path.write_text("better")
        for _ in range(2):
            await reloading.look()
    assert logged[0]["problem"].startswith("UnicodeDecodeError: ")
    assert _count(metrics, "rejected") == 1
    assert reader.found == ["better"]


async def test_a_missing_file_is_rejected(
    reloading: FileReloader, reader: _Reader, metrics: Metrics
) -> None:
    """The previous content stays in use."""
    reader.path.unlink()
    with capture_logs():
        await reloading.look()
        await reloading.look()
    assert _count(metrics, "rejected") == 1


def _count(metrics: Metrics, result: str) -> float | None:
    labels = {"file": "tokens", "result": result}
    return metrics.registry.get_sample_value("wordgate_file_reloads_total", labels)
