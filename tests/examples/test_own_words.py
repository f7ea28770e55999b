"""The example that measures suggestions of a person's own words."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from own_words import PLAIN, Recurrence, own_words, rare_words, recurring, typed_keys
from wordgate.decoding.options import BoostedWord
from wordgate.engine.local_model import LocalModel

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_words.py"
NAME = "Ballylongford"


def test_rare_words_are_those_of_several_tokens(local: LocalModel) -> None:
    """Short words, numbers and words that the model has as one token are none."""
    assert [*rare_words(local, f"the {NAME} 20000 the xqj")] == [(4, NAME)]


def test_a_word_recurs_after_its_first_occurrence(local: LocalModel) -> None:
    """The text before each later occurrence is its history."""
    found = [*recurring(local, f"{NAME}, the {NAME} the")]
    assert found == [Recurrence(f"{NAME}, the ", NAME)]


def test_the_most_frequent_own_words_are_kept(local: LocalModel) -> None:
    """They keep their case, and there are at most as many as asked for."""
    texts = [f"{NAME} the Zagreb", f"the {NAME}"]
    assert own_words(local, texts, 2) == [NAME, "Zagreb"]
    assert own_words(local, texts, 1) == [NAME]


def test_a_boosted_word_takes_fewer_keys(local: LocalModel) -> None:
    """A word that is never suggested takes one key per letter and one for the space."""
    recurrence = Recurrence("the ", NAME)
    boosted = replace(PLAIN, boosted_words=[BoostedWord(NAME, 50.0)])
    blocked = replace(PLAIN, blocked_words=[NAME])
    assert typed_keys(local, recurrence, blocked) == len(NAME) + 1
    assert typed_keys(local, recurrence, boosted) < len(NAME)


def test_each_way_of_suggesting_has_a_row(bundle: Path, tmp_path: Path) -> None:
    """A missing file is an error in one line."""
    messages, own = tmp_path / "messages.txt", tmp_path / "own.txt"
    messages.write_text(f"{NAME} the {NAME}\n", "utf-8")
    own.write_text(f"{NAME}\n", "utf-8")
    command = [sys.executable, str(EXAMPLE), str(messages), "--model", str(bundle), "--own"]
    ran = subprocess.run([*command, str(own)], capture_output=True, text=True, check=True)
    head, *rows = ran.stdout.splitlines()
    assert head == "1 messages, 1 rare words that recur"
    assert [each.split()[0] for each in rows] == ["general", "boosted", "cache", "both"]
    absent = str(tmp_path / "none.txt")
    failed = subprocess.run([*command, absent], capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr == f"own_words: {absent}: does not exist\n"
