"""Served models do not depend on their files after verification."""

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.bundles import write_bundle
from tests.running import serving

from wordgate.client import Client
from wordgate.engine.local_model import LocalModel

_WORDS = (
    "the",
    "clouds",
    "sky",
    "sun",
    "sea",
    "keys",
    "cabinet",
    "table",
    "rain",
    "train",
    "house",
)
_numbers = count()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with a version whose embedding has many pages, and a copy of it."""
    served = write_bundle(tmp_path / "served", width=256)
    shutil.copytree(served, tmp_path / "published")
    return tmp_path


def _copy_over(folder: Path) -> None:
    shutil.copytree(folder.parents[2] / "published", folder, dirs_exist_ok=True)


def _overwrite(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))


def _truncate(folder: Path) -> None:
    for path in folder.iterdir():
        os.truncate(path, 0)


def _replace(folder: Path) -> None:
    for path in folder.iterdir():
        (folder / "unfinished").write_bytes(b"something else")
        (folder / "unfinished").rename(path)


REWRITES = {
    "an identical copy": _copy_over,
    "zeros": _overwrite,
    "nothing": _truncate,
    "other files": _replace,
    "no folder": shutil.rmtree,
}


def _questions(number: int) -> Iterator[tuple[str, list[str]]]:
    """Yield new histories and candidates, so that no cache answers."""
    for _ in range(number):
        turn = next(_numbers)
        words = [_WORDS[(turn * 5 + place * place) % len(_WORDS)] for place in range(8)]
        yield f"{turn} {' '.join(words)}", [f"{word} {turn} {words[0]}" for word in _WORDS]


@pytest.mark.parametrize("rewrite", REWRITES.values(), ids=REWRITES)
def test_rewritten_files_do_not_change_answers(
    models: Path, rewrite: Callable[[Path], None]
) -> None:
    """The bits are the same after each rewrite, in the running server and in this process."""
    folder = models / "served" / "tiny" / "1"
    sound = LocalModel.open(models / "published")
    here = LocalModel.open(folder)
    with serving(folder, "--model-poll-seconds", "0") as server, Client(server.address) as client:
        for _ in range(3):
            for history, candidates in _questions(20):
                expected = sound.submit_score(history, candidates).result().candidates
                assert client.score(history, candidates).candidates == expected
                assert here.submit_score(history, candidates).result().candidates == expected
            if folder.exists():
                rewrite(folder)
        assert server.process.poll() is None
    for model in (sound, here):
        model.close()
