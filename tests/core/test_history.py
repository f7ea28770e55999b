"""How much of a history is read, from where, and what is not read twice."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.vocabularies import trained

from wordgate.core import words
from wordgate.core.asks import Advance, Ask, State, drive
from wordgate.core.history import (
    ANCHOR_WORDS,
    context_start,
    read,
    read_ahead,
    read_context,
    read_words,
)
from wordgate.core.levels import Levels
from wordgate.core.pieces import EOS
from wordgate.core.state_store import NoStore, chain_hashes
from wordgate.errors import InvalidInput

PIECES = trained()


class Reader:
    """A model whose state is all that it has read; counts the pieces."""

    levels = Levels((PIECES.size,))
    start: State = ()

    def __init__(self) -> None:
        self.read = 0

    def answer(self, asks: Sequence[Ask]) -> list[Any]:
        """States after the pieces; nothing else is answered."""
        answers = []
        for ask in asks:
            assert isinstance(ask, Advance)
            self.read += len(ask)
            answers.append([(*state, piece) for state, piece in ask.steps])
        return answers


class Store(NoStore):
    """Keeps every state it is given, and may be told to forget."""

    def __init__(self, seed: bytes = b"seed") -> None:
        super().__init__(())
        self.seed = seed
        self.states: dict[bytes, State] = {}

    def longest(self, keys: Sequence[bytes]) -> tuple[State, int]:
        """The kept state of the longest beginning."""
        for place in range(len(keys), 0, -1):
            if keys[place - 1] in self.states:
                return self.states[keys[place - 1]], place
        return (), 0

    def keep(self, key: bytes, state: State) -> State:
        """Keep a state."""
        self.states[key] = state
        return state


class Remembering(Store):
    """Keeps keys of texts, too."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[bytes, bytes] = {}

    def state(self, key: bytes) -> State | None:
        """The state of a key."""
        return self.states.get(key)

    def key_of_text(self, digest: bytes) -> bytes | None:  # type: ignore[override]
        """The key of a text."""
        return self.texts.get(digest)

    def keep_key_of_text(self, digest: bytes, key: bytes) -> None:
        """Keep a key."""
        self.texts[digest] = key


def _text(count: int) -> str:
    return " ".join(f"w{number}" for number in range(count))


def _pieces(found: Sequence[str]) -> tuple[int, ...]:
    return EOS, *(piece for word in found for piece in PIECES.encode_word(word))


@pytest.mark.parametrize(
    ("count", "start"),
    [
        *((0, 0), (1, 0), (127, 0), (128, 0), (129, 0), (255, 0)),
        *((256, 128), (257, 128), (383, 128), (384, 256), (1000, 768)),
    ],
)
def test_where_the_context_begins(count: int, start: int) -> None:
    """At the anchor before the last one that was reached."""
    assert context_start(count) == start


@given(st.integers(0, 100_000))
def test_128_to_255_words_are_read_of_a_long_history(count: int) -> None:
    """All of a short history, 128 to 255 words of a longer one, from a multiple of 128."""
    start = context_start(count)
    assert start % ANCHOR_WORDS == 0
    assert count - start == count or ANCHOR_WORDS <= count - start < 2 * ANCHOR_WORDS


@pytest.mark.parametrize("count", [0, 1, 127, 128, 255, 256, 300, 384])
def test_the_context_is_read_after_eos(count: int) -> None:
    """`<eos>` first, then the pieces of the words from the context's start on."""
    state = drive(read(PIECES, _text(count), NoStore(())), Reader())
    assert state == _pieces(_text(count).split()[context_start(count) :])


def test_words_are_what_the_normaliser_makes_of_them() -> None:
    """Anchors count words in normal form, punctuation among them."""
    state = drive(read(PIECES, "The SEA,\nthe sun", NoStore(())), Reader())
    assert state == _pieces(["the", "sea", ",", "the", "sun"])


@given(st.lists(st.integers(0, 300), max_size=6), st.data())
def test_a_store_changes_no_state(counts: list[int], data: st.DataObject) -> None:
    """Whatever was read before and whatever was forgotten, the state is that of reading anew."""
    store = Store()
    for count in [*counts, 260]:
        text = _text(count)
        assert drive(read(PIECES, text, store), Reader()) == drive(
            read(PIECES, text, NoStore(())), Reader()
        )
        for key in data.draw(st.lists(st.sampled_from(sorted(store.states)), max_size=4)):
            store.states.pop(key, None)


def test_a_history_that_was_read_is_not_read_again() -> None:
    """The second time nothing is asked of the model."""
    store, model = Store(), Reader()
    drive(read(PIECES, _text(50), store), model)
    before = model.read
    drive(read(PIECES, _text(50), store), model)
    assert model.read == before


def test_a_growing_history_reads_only_what_is_new() -> None:
    """Word by word, each piece is read once, until an anchor is crossed: `<eos>` not even then."""
    store, model = Store(), Reader()
    for count in range(256):
        drive(read(PIECES, _text(count), store), model)
    assert model.read == len(_pieces(_text(255).split()))
    drive(read(PIECES, _text(256), store), model)
    crossed = len(_pieces(_text(256).split()[128:])) - 1
    assert model.read == len(_pieces(_text(255).split())) + crossed


def test_the_last_words_may_be_taken_back() -> None:
    """After a long history any of its last seven beginnings is there without reading."""
    store, model = Store(), Reader()
    drive(read(PIECES, _text(100), store), model)
    before = model.read
    for count in range(93, 101):
        drive(read(PIECES, _text(count), store), model)
    assert model.read == before


def test_few_states_are_kept_of_a_long_history() -> None:
    """`<eos>`, every 32nd word and the last eight: not one a word."""
    store = Store()
    drive(read(PIECES, _text(120), store), Reader())
    assert len(store.states) == 1 + 3 + 8


def test_stores_of_different_models_never_meet() -> None:
    """The same pieces have other keys with another seed, and other keys at other places."""
    one, other = chain_hashes(b"one", [0, 1, 2]), chain_hashes(b"other", [0, 1, 2])
    assert not set(one) & set(other)
    assert chain_hashes(b"one", [0, 1])[1] == one[1]
    assert len(set(chain_hashes(b"one", [5] * 100))) == 100


def test_words_can_be_read_as_pieces() -> None:
    """Words that were cut before are read as they are."""
    cut = [PIECES.encode_word(word) for word in words.split("the sea")]
    assert drive(read_words(cut, NoStore(())), Reader()) == _pieces(["the", "sea"])


def test_a_surrogate_in_a_history_is_named() -> None:
    """The field is `history`."""
    with pytest.raises(InvalidInput) as refused:
        drive(read(PIECES, "\udc00", NoStore(())), Reader())
    assert refused.value.field == "history"


@given(st.lists(st.integers(0, 300), max_size=4), st.integers(0, 3))
def test_a_text_read_before_has_the_same_context(counts: list[int], forgotten: int) -> None:
    """Key and state are those of reading anew, with the text's key known and its state forgotten
    or not."""
    store = Remembering()
    for count in [*counts, *counts]:
        for key in list(store.states)[:forgotten]:
            del store.states[key]
        expected = drive(read_context(PIECES, _text(count), Store()), Reader())
        assert drive(read_context(PIECES, _text(count), store), Reader()) == expected


@pytest.mark.parametrize("anchor", [256, 384])
def test_crossing_an_anchor_is_prepared(anchor: int) -> None:
    """Who has the store read ahead after each word reads no more than two words at any key."""
    store = Remembering()
    drive(read(PIECES, _text(anchor - 100), store), Reader())
    for count in range(anchor - 99, anchor + 10):
        now = Reader()
        drive(read(PIECES, _text(count), store), now)
        assert now.read <= 12, count
        ahead = Reader()
        drive(read_ahead(PIECES, _text(count), store), ahead)
        assert ahead.read == 0 or (anchor - 64 <= count < anchor), count


def test_far_from_an_anchor_nothing_is_read_ahead() -> None:
    """The first half of the way, and texts that no anchor will shorten."""
    for count in (0, 100, 127, 128, 191, 256, 300):
        ahead = Reader()
        drive(read_ahead(PIECES, _text(count), Remembering()), ahead)
        assert ahead.read == 0, count
