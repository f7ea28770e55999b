"""The history rule, and caching of histories."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fake_model import TokenReader
from tests.vocabularies import trained

from wordgate.errors import InvalidInput
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.context_window import (
    ANCHOR_TOKENS,
    ANCHOR_WORDS,
    MAX_CONTEXT_TOKENS,
    anchors,
    context_start,
    latest_start,
    read,
    read_ahead,
    read_context,
    read_each,
    read_words,
)
from wordgate.lm.requests import State, run_to_completion
from wordgate.lm.state_store import NullStateStore, chain_hashes
from wordgate.lm.tokenizer import EOS
from wordgate.text import words
from wordgate.text.normalization import normalise

TOKENIZER = trained()


class Reader(TokenReader):
    """A fake model whose state is the sequence of tokens read. It counts them."""

    def __init__(self) -> None:
        super().__init__(AdaptiveSoftmaxLayout((TOKENIZER.size,)))


class Store(NullStateStore):
    """A store that keeps every state until a test clears it."""

    def __init__(self, seed: bytes = b"seed") -> None:
        super().__init__(())
        self.seed = seed
        self.states: dict[bytes, State] = {}

    def longest_prefix(self, keys: Sequence[bytes]) -> tuple[State, int]:
        """Return the stored state of the longest prefix."""
        for place in range(len(keys), 0, -1):
            if keys[place - 1] in self.states:
                return self.states[keys[place - 1]], place
        return (), 0

    def put(self, key: bytes, state: State) -> State:
        """Store a state."""
        self.states[key] = state
        return state


class Remembering(Store):
    """A store that also keeps the keys of texts."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[bytes, bytes] = {}

    def state(self, key: bytes) -> State | None:
        """Return the state of a key."""
        return self.states.get(key)

    def get_key(self, digest: bytes) -> bytes | None:  # type: ignore[override]
        """Return the key of a text."""
        return self.texts.get(digest)

    def put_key_of_text(self, digest: bytes, key: bytes) -> None:
        """Store the key of a text."""
        self.texts[digest] = key


def _text(count: int) -> str:
    return " ".join(f"w{number}" for number in range(count))


def _tokens(found: Sequence[str]) -> tuple[int, ...]:
    return EOS, *(token for word in found for token in TOKENIZER.encode_word(word))


@pytest.mark.parametrize(
    ("count", "start"),
    [
        *((0, 0), (1, 0), (127, 0), (128, 0), (129, 0), (255, 0)),
        *((256, 128), (257, 128), (383, 128), (384, 256), (1000, 768)),
    ],
)
def test_where_the_context_begins(count: int, start: int) -> None:
    """With at most four tokens per word, at the last multiple of 128 that is 128 words back."""
    for tokens in (1, 2, 4):
        assert context_start([tokens] * count) == start
    assert latest_start(count) == start


@pytest.mark.parametrize(
    ("counts", "start"),
    [
        ([], 0),
        ([512], 0),
        ([512, 511], 0),
        ([512, 512], 1),
        ([512, 511, 1], 1),
        ([384] * 3, 1),
        ([256] * 4, 2),
        ([5] * 204, 0),
        ([5] * 205, 102),
        ([1] * 127 + [512], 127),
        ([1] * 128 + [512, 1], 128),
        ([*[5] * 128, *[1] * 101], 0),
        ([*[5] * 128, *[1] * 102], 102),
        ([*[5] * 128, *[1] * 127], 102),
        ([*[5] * 128, *[1] * 128], 128),
        ([*[5] * 128, *[4] * 101], 102),
        ([*[5] * 128, *[4] * 128], 128),
    ],
)
def test_where_the_context_of_long_words_begins(counts: list[int], start: int) -> None:
    """At the last anchor that is 128 words or 512 tokens back.

    An anchor precedes a word that would exceed 512 tokens since the last one.
    """
    assert context_start(counts) == start


_COUNTS = st.lists(
    st.tuples(st.integers(1, 512) | st.integers(1, 6), st.integers(1, 200)), max_size=8
).map(lambda runs: [tokens for tokens, times in runs for _ in range(times)])


@given(_COUNTS)
def test_a_context_is_bounded_in_words_and_tokens(counts: list[int]) -> None:
    """At most 255 words and 1,023 tokens are read, and at least 128 words, 512 tokens, or all."""
    start = context_start(counts)
    words_read, tokens_read = len(counts) - start, sum(counts[start:])
    assert words_read < 2 * ANCHOR_WORDS
    assert tokens_read <= MAX_CONTEXT_TOKENS == 1023
    assert start == 0 or words_read >= ANCHOR_WORDS or tokens_read >= ANCHOR_TOKENS


@given(_COUNTS)
def test_a_context_depends_on_the_last_words_alone(counts: list[int]) -> None:
    """Counting from the beginning of the history gives the same start as from `latest_start`."""
    first = latest_start(len(counts))
    assert len(counts) - first < 2 * ANCHOR_WORDS
    assert context_start(counts) == first + context_start(counts[first:])


@given(_COUNTS)
def test_contexts_move_forward_from_anchor_to_anchor(counts: list[int]) -> None:
    """Each added word keeps the start of the context or moves it to a later anchor."""
    starts = [context_start(counts[:count]) for count in range(0, len(counts) + 1, 7)]
    assert starts == sorted(starts)
    assert set(starts) <= {0, *anchors(counts)}


def test_no_word_has_more_tokens_than_fit_between_two_anchors() -> None:
    """The longest word has 128 characters of four bytes, one token per byte."""
    [longest, *_] = words.split("\U0001e922" * 1000)
    assert len(TOKENIZER.encode_word(longest)) == ANCHOR_TOKENS


@pytest.mark.parametrize("letter", ["ԱԲԳ", "\U0001e922", "ab"])
def test_few_tokens_are_read_of_long_text_without_spaces(letter: str) -> None:
    """Of 64 KB without a space, at most 1,023 tokens are read, including the last words."""
    text = (letter * 65_536).encode("utf-8")[: 65_536 // 4 * 4].decode("utf-8", "ignore")
    model = Reader()
    state = run_to_completion(read(TOKENIZER, text, NullStateStore(())), model)
    assert model.read <= MAX_CONTEXT_TOKENS + 1
    last = _tokens(words.split(normalise(text))[-1:])[1:]
    assert state[-len(last) :] == last
    contexts, found = run_to_completion(read_each(TOKENIZER, text, Remembering()), Reader())
    assert contexts[-1].state == state
    assert _tokens(found) == state


@pytest.mark.parametrize("count", [0, 1, 127, 128, 255, 256, 300, 384])
def test_the_context_is_read_after_eos(count: int) -> None:
    """`<eos>` is read first, then the tokens of the words of the context."""
    state = run_to_completion(read(TOKENIZER, _text(count), NullStateStore(())), Reader())
    assert state == _tokens(_text(count).split()[latest_start(count) :])


def test_words_are_what_the_normaliser_makes_of_them() -> None:
    """Anchors count words in normal form, including punctuation."""
    state = run_to_completion(read(TOKENIZER, "The SEA,\tthe sun", NullStateStore(())), Reader())
    assert state == _tokens(["the", "sea", ",", "the", "sun"])


@given(st.lists(st.integers(0, 300), max_size=6), st.data())
def test_a_store_changes_no_state(counts: list[int], data: st.DataObject) -> None:
    """Whatever is stored or evicted, the state is the same as without a store."""
    store = Store()
    for count in [*counts, 260]:
        text = _text(count)
        assert run_to_completion(read(TOKENIZER, text, store), Reader()) == run_to_completion(
            read(TOKENIZER, text, NullStateStore(())), Reader()
        )
        for key in data.draw(st.lists(st.sampled_from(sorted(store.states)), max_size=4)):
            store.states.pop(key, None)


def test_a_history_that_was_read_is_not_read_again() -> None:
    """The second read makes no model request."""
    store, model = Store(), Reader()
    run_to_completion(read(TOKENIZER, _text(50), store), model)
    before = model.read
    run_to_completion(read(TOKENIZER, _text(50), store), model)
    assert model.read == before


def test_a_growing_history_reads_only_what_is_new() -> None:
    """Word by word, each token is read once until an anchor is crossed. `<eos>` is never reread."""
    store, model = Store(), Reader()
    for count in range(256):
        run_to_completion(read(TOKENIZER, _text(count), store), model)
    assert model.read == len(_tokens(_text(255).split()))
    run_to_completion(read(TOKENIZER, _text(256), store), model)
    crossed = len(_tokens(_text(256).split()[128:])) - 1
    assert model.read == len(_tokens(_text(255).split())) + crossed


def test_the_last_words_may_be_taken_back() -> None:
    """After a long history, deleting up to seven words needs no model request."""
    store, model = Store(), Reader()
    run_to_completion(read(TOKENIZER, _text(100), store), model)
    before = model.read
    for count in range(93, 101):
        run_to_completion(read(TOKENIZER, _text(count), store), model)
    assert model.read == before


def test_few_states_are_kept_of_a_long_history() -> None:
    """States after `<eos>`, every 32nd word and the last eight are stored, not one per word."""
    store = Store()
    run_to_completion(read(TOKENIZER, _text(120), store), Reader())
    assert len(store.states) == 1 + 3 + 8


def test_stores_of_different_models_never_meet() -> None:
    """The same tokens have different keys with another seed or at another position."""
    one, other = chain_hashes(b"one", [0, 1, 2]), chain_hashes(b"other", [0, 1, 2])
    assert not set(one) & set(other)
    assert chain_hashes(b"one", [0, 1])[1] == one[1]
    assert len(set(chain_hashes(b"one", [5] * 100))) == 100


def test_words_can_be_read_as_tokens() -> None:
    """Words that are already tokenized are read as they are."""
    cut = [TOKENIZER.encode_word(word) for word in words.split("the sea")]
    assert run_to_completion(read_words(cut, NullStateStore(())), Reader()) == _tokens(
        ["the", "sea"]
    )


def test_a_surrogate_in_a_history_is_named() -> None:
    """The error names the field `history`."""
    with pytest.raises(InvalidInput) as refused:
        run_to_completion(read(TOKENIZER, "\udc00", NullStateStore(())), Reader())
    assert refused.value.field == "history"


@given(st.lists(st.integers(0, 300), max_size=4), st.integers(0, 3))
def test_a_text_read_before_has_the_same_context(counts: list[int], forgotten: int) -> None:
    """Key and state are the same as without a store, also if only the key of the text is left."""
    store = Remembering()
    for count in [*counts, *counts]:
        for key in list(store.states)[:forgotten]:
            del store.states[key]
        expected = run_to_completion(read_context(TOKENIZER, _text(count), Store()), Reader())
        assert run_to_completion(read_context(TOKENIZER, _text(count), store), Reader()) == expected


@pytest.mark.parametrize("anchor", [256, 384])
def test_crossing_an_anchor_is_prepared(anchor: int) -> None:
    """With prefetching after each word, no keystroke reads more than two words."""
    store = Remembering()
    run_to_completion(read(TOKENIZER, _text(anchor - 100), store), Reader())
    for count in range(anchor - 99, anchor + 10):
        now = Reader()
        run_to_completion(read(TOKENIZER, _text(count), store), now)
        assert now.read <= 12, count
        ahead = Reader()
        run_to_completion(read_ahead(TOKENIZER, _text(count), store), ahead)
        assert ahead.read == 0 or (anchor - 64 <= count < anchor), count


def test_crossing_an_anchor_between_long_words_is_prepared() -> None:
    """With words of six tokens, no keystroke reads more than two of them."""
    store = Remembering()
    crossed = set()
    for count in range(200):
        text = " ".join(_long_word(number) for number in range(count))
        now = Reader()
        state = run_to_completion(read(TOKENIZER, text, store), now)
        assert state == run_to_completion(read(TOKENIZER, text, NullStateStore(())), Reader())
        crossed.add(len(state) <= 6 * count)
        assert now.read <= 12, count
        run_to_completion(read_ahead(TOKENIZER, text, store), Reader())
    assert crossed == {False, True}


def _long_word(number: int) -> str:
    """Return a word of six tokens."""
    word = "".join(chr(0x250 + number // 16**place % 16) for place in range(3))
    assert len(TOKENIZER.encode_word(word)) == 6
    return word


def test_far_from_an_anchor_nothing_is_read_ahead() -> None:
    """Nothing is prefetched in the first half of the way or in texts shorter than that."""
    for count in (0, 100, 127, 128, 191, 256, 300):
        ahead = Reader()
        run_to_completion(read_ahead(TOKENIZER, _text(count), Remembering()), ahead)
        assert ahead.read == 0, count


@pytest.mark.parametrize(
    ("history", "lines"),
    [
        ("the sea\nthe sun", ["the sea", "the sun"]),
        ("the sea \r\n\r\n\t the sun", ["the sea", "the sun"]),
        ("the sea\u2028the sun\x85i", ["the sea", "the sun", "i"]),
        ("\n \n the sea", ["the sea"]),
        ("the sea\n", ["the sea", ""]),
        ("the sea \n\n \n ", ["the sea", ""]),
        ("\n", [""]),
        ("the\u00adsea\tthe", ["thesea the"]),
    ],
)
def test_the_end_of_a_line_is_read_as_the_end_of_a_text(history: str, lines: list[str]) -> None:
    """Consecutive line breaks count as one, leading ones are ignored, and the context is kept."""
    expected = [EOS]
    for line in lines:
        expected += [*TOKENIZER.encode(line), EOS]
    state = run_to_completion(read(TOKENIZER, history, NullStateStore(())), Reader())
    assert state == tuple(expected[:-1])
    contexts, found = run_to_completion(read_each(TOKENIZER, history, Remembering()), Reader())
    assert contexts[-1].state == state
    assert found == [word for line in lines for word in line.split()]
    assert len(contexts) == len(found) + 1


def test_the_end_of_a_line_counts_as_a_word() -> None:
    """A context that would begin with an end of line begins with the line; `<eos>` is read once."""
    text = "\n".join(["w"] * 192) + "\nthe sea"
    found = [*["w", "\n"] * 192, "the", "sea"]
    state = run_to_completion(read(TOKENIZER, text, NullStateStore(())), Reader())
    assert state == _tokens(found[256:])
    text = f"the {text}"
    state = run_to_completion(read(TOKENIZER, text, NullStateStore(())), Reader())
    assert state == _tokens(["the", *found][257:])
    contexts, _ = run_to_completion(read_each(TOKENIZER, text, Remembering()), Reader())
    assert contexts[-1].state == state


def test_a_surrogate_is_named_in_the_whole_history() -> None:
    """Its position is counted from the beginning of the history, not of its line."""
    with pytest.raises(InvalidInput, match="position 9"):
        run_to_completion(read_each(TOKENIZER, "the\nsea\na\ud800", Remembering()), Reader())
