"""Search for the best transcripts of lattices and confusion networks."""

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fake_model import FakeModel
from tests.vocabularies import texts, trained

from wordgate.errors import InvalidInput
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.lexicon import Lexicon
from wordgate.lm.requests import YIELD, ModelTask, run_request, run_to_completion
from wordgate.lm.state_store import NullStateStore
from wordgate.scoring import lattice_search
from wordgate.scoring.hypothesis import Hypothesis, TimeSpan
from wordgate.scoring.lattice import Alternative, Arc, ConfusionNetwork, Lattice
from wordgate.scoring.lattice_graph import LatticeGraph, join
from wordgate.scoring.lattice_heuristic import Heuristic
from wordgate.scoring.lattice_search import SearchBounds
from wordgate.scoring.rescoring import HypothesisSpace, Ranking, rescore
from wordgate.scoring.score_weights import ACOUSTIC, Boost, ScoreWeights
from wordgate.text import words
from wordgate.text.cooperative_steps import finish
from wordgate.text.normalization import normalise

LEVELS = AdaptiveSoftmaxLayout((200, 400, trained().size))
LANGUAGE = Lexicon(trained(), LEVELS)
MODEL = FakeModel.random(LEVELS, seed=5)
UNBOUNDED = SearchBounds(1000, 100_000, 0, 100_000)
SCORE_WEIGHTS = ScoreWeights(2.0, -1.5, {"first": 0.5}, [Boost("sun sea", 4.0), Boost("tea", -2.0)])
CHARACTERS = ["我", "们", "ก", "ั", "コー", "ー"]
LABELS = ["sun", "sea", "a tea", "sun(2)", "!NULL", "<sil>", "", "the"]

scores = st.tuples(st.integers(-40, 0), st.integers(-9, 0)).map(
    lambda pair: {ACOUSTIC: float(pair[0]), "first": float(pair[1])}
)


def _ranked(
    source: HypothesisSpace,
    score_weights: ScoreWeights = SCORE_WEIGHTS,
    bounds: SearchBounds = UNBOUNDED,
    count_eos: bool = True,
) -> Ranking:
    start = NullStateStore(MODEL.start)
    task = rescore(LANGUAGE, start, "over", source, score_weights, count_eos, bounds)
    return run_to_completion(task, MODEL)


@st.composite
def lattices(draw: st.DrawFn) -> Lattice:
    """Draw small lattices, all of whose paths can be enumerated."""
    count = draw(st.integers(2, 5))
    places = st.integers(0, count - 2).flatmap(
        lambda start: st.tuples(st.just(start), st.integers(start + 1, count - 1))
    )
    arcs = draw(st.lists(st.tuples(places, st.sampled_from(LABELS), scores), max_size=9))
    drawn = [Arc(start, end, label, score) for (start, end), label, score in arcs]
    through = Arc(0, count - 1, "sun", {ACOUSTIC: -3.0, "first": -2.0})
    return Lattice([*drawn, through], 0, count - 1, sum_paths=draw(st.booleans()))


def _paths(lattice: Lattice, node: int = 0) -> Iterator[list[Arc]]:
    if node == lattice.end:
        yield []
    for arc in lattice.arcs:
        if arc.start == node:
            for rest in _paths(lattice, arc.end):
                yield [arc, *rest]


def _as_n_best(lattice: Lattice) -> list[Hypothesis]:
    """Return every text of the lattice with the scores of its best path."""
    by_text = defaultdict(list)
    for path in _paths(lattice):
        text = " ".join(" ".join(lattice.said(arc.label) for arc in path).split())
        total = {name: math.fsum(arc.scores[name] for arc in path) for name in (ACOUSTIC, "first")}
        by_text[text].append((SCORE_WEIGHTS.weighted_sum(total), total))
    found = []
    for text, paths in by_text.items():
        best = max(paths, key=lambda path: path[0])
        everything = best[0] + math.log(math.fsum(math.exp(path[0] - best[0]) for path in paths))
        others = everything - best[0] if lattice.sum_paths else 0.0
        found.append(Hypothesis(text, best[1], (), others))
    return found


@given(lattices())
def test_a_lattice_is_ranked_like_its_n_best_list(lattice: Lattice) -> None:
    """Every transcript is found with the total that it has in an n-best list; `exact` is true."""
    expected = _ranked(_as_n_best(lattice))
    found = _ranked(lattice)
    assert found.exact
    assert [each.total for each in found.transcripts] == pytest.approx(
        [each.total for each in expected.transcripts], abs=1e-9
    )
    by_text = {each.text: each for each in expected.transcripts}
    assert len(by_text) == len(found.transcripts)
    for each in found.transcripts:
        same = by_text[each.text]
        assert (each.log_prob, each.boost) == (same.log_prob, same.boost)
        assert each.merged_path_log_weight == pytest.approx(same.merged_path_log_weight, abs=1e-9)


@given(lattices(), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(1, 12))
def test_exact_results_of_a_bounded_search_are_complete(
    lattice: Lattice, wanted: int, beam: int, last_words: int, expansions: int
) -> None:
    """For any bounds, totals are correct, and `exact` means that no better one is missing."""
    everything = {each.text: each.total for each in _ranked(lattice).transcripts}
    found = _ranked(lattice, bounds=SearchBounds(wanted, beam, last_words, expansions))
    assert 1 <= len(found.transcripts) <= wanted
    for each in found.transcripts:
        assert each.total == pytest.approx(everything[each.text], abs=1e-9)
    if found.exact:
        best = sorted(everything.values(), reverse=True)[:wanted]
        assert [each.total for each in found.transcripts] == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize(
    "bounds", [SearchBounds(1, 1, 0), SearchBounds(1, 99, 1), SearchBounds(1, 99, 0, 3)]
)
def test_a_search_that_misses_the_best_is_not_exact(bounds: SearchBounds) -> None:
    """A narrow beam, recombination or few expansions can miss the best; `exact` is then false."""
    score_weights = ScoreWeights(0.3, boosts=[Boost("sun sea tea", 6.0)])
    missed = 0
    for seed in range(40):
        drawn = Random(seed)
        slots = [
            [
                Alternative(word, {ACOUSTIC: drawn.uniform(-6, 0)})
                for word in ("sun", "sea", "tea", "the")
            ]
            for _ in range(4)
        ]
        best = _ranked(ConfusionNetwork(slots), score_weights)
        found = _ranked(ConfusionNetwork(slots), score_weights, bounds)
        assert best.exact
        if found.transcripts[0].text != best.transcripts[0].text:
            missed += 1
            assert not found.exact
    assert missed


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from([*("r", "n", "rn", "m", " ", "", "’s"), *CHARACTERS]), scores
            ),
            min_size=1,
            max_size=3,
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["", " "]),
)
def test_a_confusion_network_is_ranked_like_its_n_best_list(
    drawn: list[list[tuple[str, dict[str, float]]]], separator: str
) -> None:
    """Equal texts are merged to the best score, for slots of words and of characters."""
    network = ConfusionNetwork([[Alternative(*each) for each in slot] for slot in drawn], separator)
    totals: dict[str, float] = {}
    for choice in product(*network.slots):
        text = separator.join(
            " ".join(each.text.split()) if separator else each.text for each in choice
        )
        text = " ".join(text.split()) if separator else text
        summed = {n: math.fsum(each.scores[n] for each in choice) for n in (ACOUSTIC, "first")}
        [only] = _ranked([Hypothesis(text, summed)]).transcripts
        totals[text] = max(totals.get(text, -math.inf), only.total)
    found = _ranked(network)
    assert found.exact
    assert {each.text: each.total for each in found.transcripts} == pytest.approx(totals, abs=1e-9)


@pytest.mark.parametrize("weight", [0.0, 1e-300])
def test_scores_that_add_up_to_infinity_are_rejected(weight: float) -> None:
    """The error names the hypotheses: no entry of the request is wrong by itself."""
    slots = [[Alternative(word, {"first": 1e308})] for word in ("the", "sea")]
    with pytest.raises(InvalidInput, match="hypotheses: have a path whose first adds up to inf"):
        _ranked(ConfusionNetwork(slots), ScoreWeights(weights={"first": weight}))


@pytest.mark.parametrize(("soft_hyphens", "is_valid"), [(511, True), (512, False)])
def test_transcripts_of_many_bytes_are_rejected(soft_hyphens: int, is_valid: bool) -> None:
    """Invisible characters take no tokens, but 100 transcripts repeat them in the answer."""
    slot = [Alternative("\u00ad" * soft_hyphens + "a")]
    network = ConfusionNetwork([slot] * 64)  # 64 * (2 * 511 + 1 and a space) = 64 KiB
    if is_valid:
        assert len(_ranked(network, ScoreWeights()).transcripts) == 1
    else:
        with pytest.raises(InvalidInput, match="transcript of more than 65536 bytes"):
            _ranked(network, ScoreWeights())


def test_chinese_characters_count_as_words() -> None:
    """A narrow search of a network of Chinese characters finds the best transcript."""
    slots = [
        [Alternative(each, {ACOUSTIC: 0.0}) for each in slot] for slot in ("我窝", "们门", "去取")
    ]
    network = ConfusionNetwork(slots * 3, "")
    best = _ranked(network, ScoreWeights(1.0))
    found = _ranked(network, ScoreWeights(1.0), SearchBounds(beam=16, recombination_words=1))
    assert best.exact
    assert found.transcripts[0].text == best.transcripts[0].text
    assert found.transcripts[0].word_count == 9


def test_a_run_of_katakana_is_not_estimated_letter_by_letter() -> None:
    """A run is one word, so its letters are not words that the model could score."""
    assert [words.is_whole_word(each) for each in "我はก"] == [True] * 3
    assert [words.is_whole_word(each) for each in "コーa한1，"] == [False] * 6


def test_the_narrowest_beam_keeps_the_likeliest_character() -> None:
    """With a beam of 1, each character is the model's likeliest after those before it.

    Whether a character is a whole word is only known at the next one; the beam does not wait.
    """
    slots = ["窝我门们去", "取们我门窝", "们去窝取我", "门取去我们"]
    greedy = ""
    for slot in slots:
        hypotheses = [Hypothesis(greedy + each, {}) for each in slot]
        ranked = _ranked(hypotheses, ScoreWeights(1.0), count_eos=False)
        ahead = {each.text: each.log_prob for each in ranked.transcripts}
        greedy = max(ahead, key=lambda text: ahead[text])
    network = ConfusionNetwork([[Alternative(each, {}) for each in slot] for slot in slots], "")
    found = _ranked(network, ScoreWeights(1.0), SearchBounds(1, 1))
    assert found.transcripts[0].text == greedy


@given(texts, texts)
def test_words_of_a_text_are_those_of_its_space_separated_parts(first: str, second: str) -> None:
    """Splitting at spaces first gives the same words, which lattice search relies on."""
    tokens = [*first.split(), *second.split()]
    cut = [word for token in tokens for word in words.split(normalise(token))]
    assert words.split(normalise(" ".join(tokens))) == cut


def _yields(task: ModelTask[Any], model: FakeModel) -> int:
    """Run a task and count its yields without a model request."""
    count, results = 0, None
    while True:
        try:
            request = task.send(results)
        except StopIteration:
            return count
        count += request is YIELD
        results = run_request(request, model)


def _glyphs(count: int) -> ConfusionNetwork:
    drawn = Random(3)
    slot = [[Alternative(glyph, {ACOUSTIC: drawn.uniform(-6, 0)}) for glyph in "sunea"]]
    return ConfusionNetwork(slot * count, "")


def test_a_long_search_yields_to_other_jobs() -> None:
    """A word of many characters needs no model request until it ends, so the search yields."""
    bounds = SearchBounds(1, 50, 0, 2000)
    store = NullStateStore(MODEL.start)
    task = rescore(LANGUAGE, store, "", _glyphs(60), ScoreWeights(), True, bounds)
    assert _yields(task, MODEL) >= 5


def test_arcs_between_two_nodes_are_processed_in_steps() -> None:
    """A graph of many parallel arcs is built in many steps, so that other jobs run in between."""
    slot = [Alternative("", {ACOUSTIC: -1.0})] * 5000
    table = finish(join(ConfusionNetwork([slot]), ScoreWeights()))
    graph = LatticeGraph(sum_paths=False)
    steps = sum(1 for _ in graph.build(table, lambda unit: Heuristic(0.0, 0.0)))
    assert steps > 5 * 5000 // 256


def test_a_search_ends_at_its_work_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit ends a search with any bounds, and a transcript is returned."""
    monkeypatch.setattr(lattice_search, "MAX_WORK", 500)
    found = _ranked(_glyphs(20), ScoreWeights(), SearchBounds(1, 50, 0, 20_000))
    assert (len(found.transcripts), found.exact) == (1, False)


def test_a_search_ends_at_its_limit_of_read_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The states of read tokens are kept, so their number is limited."""
    monkeypatch.setattr(lattice_search, "MAX_READ", 50)
    drawn = Random(2)
    slots = [
        [Alternative(word, {ACOUSTIC: drawn.uniform(-1, 0)}) for word in ("sun", "sea", "tea")]
        for _ in range(30)
    ]
    found = _ranked(ConfusionNetwork(slots), ScoreWeights(), SearchBounds(1, 50, 0, 20_000))
    assert (len(found.transcripts), found.exact) == (1, False)


def test_too_many_tokens_are_rejected() -> None:
    """The tokens of a transcript and those of all labels are limited."""
    chain = Lattice([Arc(n, n + 1, "sea sea sea sea") for n in range(1500)], 0, 1500)
    with pytest.raises(InvalidInput, match="4096 tokens"):
        _ranked(chain, ScoreWeights())
    labels = [Arc(n, n + 1, f"{n} " + "q7" * 100) for n in range(600)]
    labels = [Arc(arc.start, arc.end, f"{arc.label}x{arc.start}") for arc in labels]
    with pytest.raises(InvalidInput, match="50000 tokens"):
        _ranked(Lattice(labels, 0, 600), ScoreWeights())


def test_null_labels_and_pronunciation_variants() -> None:
    """Null labels add scores but no text, variants are read as their word; both are options."""
    arcs = [
        Arc(0, 1, "<s>", {ACOUSTIC: -1.0}),
        Arc(1, 2, "read(2)", {ACOUSTIC: -2.0}),
        Arc(1, 2, "read", {ACOUSTIC: -3.0}),
        Arc(2, 3, "[NOISE]", {ACOUSTIC: -4.0}),
        Arc(3, 4, "!SENT_END", {ACOUSTIC: -0.5}),
    ]
    [only] = _ranked(Lattice(arcs, 0, 4), ScoreWeights()).transcripts
    assert (only.text, only.scores[ACOUSTIC]) == ("read", -7.5)
    kept = _ranked(Lattice(arcs, 0, 4, null_labels=["[*"], keep_variants=True), ScoreWeights())
    assert {each.text for each in kept.transcripts} == {
        "<s> read(2) !SENT_END",
        "<s> read !SENT_END",
    }


def test_words_have_the_times_of_their_arcs() -> None:
    """A word spans the time of its arc, or of all arcs of its characters."""
    arcs = [Arc(0, 1, "the"), Arc(1, 2, "<sil>"), Arc(2, 3, "sun")]
    ranking = _ranked(Lattice(arcs, 0, 3, times=[0.0, 0.5, 0.75, 1.5]), ScoreWeights())
    assert [word.time for word in ranking.words] == [TimeSpan(0.0, 0.5), TimeSpan(0.75, 1.5)]
    glyphs = [[Alternative(glyph)] for glyph in "a sun"]
    network = ConfusionNetwork(glyphs, "", times=[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    spans = [word.time for word in _ranked(network, ScoreWeights()).words]
    assert spans == [TimeSpan(0.0, 1.0), TimeSpan(2.0, 5.0)]


def test_ties_keep_the_order_of_the_arcs() -> None:
    """Transcripts with equal totals are sorted by the order of their arcs in the request."""
    arcs = [Arc(0, 1, "Sun"), Arc(0, 1, "sun"), Arc(0, 1, "SUN")]
    assert [t.text for t in _ranked(Lattice(arcs, 0, 1), ScoreWeights()).transcripts] == [
        "Sun",
        "sun",
        "SUN",
    ]


@pytest.mark.parametrize(
    ("source", "field"),
    [
        (Lattice([], 0, 1), "lattice.arcs"),
        (Lattice([Arc(0, 1, "a"), Arc(1, 0, "b")], 0, 1), "lattice.arcs"),
        (Lattice([Arc(0, 1, "a")], 0, 2), "lattice"),
        (Lattice([Arc(0, -1, "a")], 0, 1), "lattice.arcs[0].end_node"),
        (Lattice([Arc(0, 1, "\ud800")], 0, 1), "lattice.arcs[0].label"),
        (Lattice([Arc(0, 1, "a")], 0, 1, times=[0.0]), "lattice.arcs[0].end_node"),
        (Lattice([Arc(0, 1, "a")], 0, 1, times=[0.0, math.nan]), "lattice.node_times_seconds[1]"),
        (Lattice([Arc(0, 1, "a")], 0, 1, null_labels=["*a*"]), "lattice.null_labels.patterns[0]"),
        (
            Lattice([Arc(0, 1, "a", {"x": 1.0}), Arc(0, 1, "b")], 0, 1),
            "lattice.arcs[1].scores",
        ),
        (Lattice([Arc(0, 1, "a", {"x": math.inf})], 0, 1), "lattice.arcs[0].scores[x]"),
        (ConfusionNetwork([]), "confusion_network.slots"),
        (ConfusionNetwork([[]]), "confusion_network.slots[0].alternatives"),
        (ConfusionNetwork([[Alternative("a")]], "-"), "confusion_network.separator"),
        (ConfusionNetwork([[Alternative("a")]], times=[0]), "confusion_network.times_seconds"),
    ],
)
def test_the_invalid_field_of_a_lattice_is_named(source: HypothesisSpace, field: str) -> None:
    """The error names the invalid field."""
    with pytest.raises(InvalidInput) as refused:
        _ranked(source, ScoreWeights())
    assert refused.value.field == field
