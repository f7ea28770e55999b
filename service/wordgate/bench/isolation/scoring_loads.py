"""The most expensive Score, Rescore and StreamRescore requests within the limits."""

from collections.abc import Callable, Iterable, Mapping
from random import Random

from wordgate.api.v1 import rescoring_pb2, scoring_pb2
from wordgate.bench.isolation.load import (
    MARK,
    RESCORE,
    SCORE,
    STREAM_RESCORE,
    Load,
    Made,
    empties,
    fixed,
    nested,
)
from wordgate.bench.isolation.texts import (
    COMMON,
    characters,
    rare_word,
    rare_words,
    words,
)


def score_request(texts: Iterable[str], history: str = MARK, model: str = "") -> bytes:
    """Return a serialized Score request."""
    candidates = [scoring_pb2.Candidate(text=text) for text in texts]
    request = scoring_pb2.ScoreRequest(model=model, history=history, candidates=candidates)
    return request.SerializeToString()


def _score_of(text: Callable[[Random], str], count: int = 1000) -> Made:
    def made(random: Random) -> Load:
        return Load(SCORE, (score_request(text(random) for _ in range(count)),))

    return made


def _score_astral_deadline(random: Random) -> Load:
    texts = [characters(random, 230, 0x20000, 0x2A6DF) for _ in range(1000)]
    return Load(SCORE, (score_request(texts),), timeout_seconds=0.5)


def _rescore(**fields: object) -> bytes:
    return rescoring_pb2.RescoreRequest(**{"history": MARK} | fields).SerializeToString()  # type: ignore[arg-type]


def _most_searched() -> rescoring_pb2.SearchBounds:
    return rescoring_pb2.SearchBounds(
        max_transcripts=100, beam=1000, recombination_words=1000, max_expansions=20_000
    )


def _n_best_scores(random: Random) -> rescoring_pb2.NBest:
    names = [f"{number:02}" for number in range(32)]
    return rescoring_pb2.NBest(
        candidates=[
            rescoring_pb2.NBestCandidate(
                text=words(random, 380), scores={name: random.uniform(-9, 0) for name in names}
            )
            for _ in range(1000)
        ]
    )


def _rescore_scores(random: Random) -> Load:
    return Load(RESCORE, (_rescore(n_best=_n_best_scores(random)),))


def _rescore_times(random: Random) -> Load:
    candidates = []
    for _ in range(1000):
        text = words(random, 150)
        spans = [
            rescoring_pb2.TimeSpan(start_seconds=index + 0.1, end_seconds=index + 0.9)
            for index in range(len(text.split()))
        ]
        candidates.append(rescoring_pb2.NBestCandidate(text=text, times=spans))
    return Load(RESCORE, (_rescore(n_best=rescoring_pb2.NBest(candidates=candidates)),))


def _rescore_boosts(random: Random) -> Load:
    boosts = [rescoring_pb2.Boost(phrase=words(random, 240), bonus=1.5) for _ in range(1000)]
    texts = [words(random, 700) for _ in range(1000)]
    candidates = [rescoring_pb2.NBestCandidate(text=text) for text in texts]
    n_best = rescoring_pb2.NBest(candidates=candidates)
    score_weights = rescoring_pb2.ScoreWeights(boosts=boosts)
    return Load(RESCORE, (_rescore(n_best=n_best, score_weights=score_weights),))


def _network(texts: list[str], slot_size: int) -> bytes:
    alternatives = [rescoring_pb2.Alternative(text=text) for text in texts]
    slots = [
        rescoring_pb2.Slot(alternatives=alternatives[place : place + slot_size])
        for place in range(0, len(alternatives), slot_size)
    ]
    network = rescoring_pb2.ConfusionNetwork(slots=slots, merging=rescoring_pb2.PATH_MERGING_SUM)
    return _rescore(confusion_network=network, search=_most_searched())


def _network_of(text: Callable[[Random], str], slot_size: int) -> Made:
    def made(random: Random) -> Load:
        return Load(RESCORE, (_network([text(random) for _ in range(20_000)], slot_size),))

    return made


def _lattice_of(label: Callable[[Random], str], side_by_side: int) -> Made:
    """Return a chain of nodes with `side_by_side` parallel arcs, 20,000 arcs in total."""

    def made(random: Random) -> Load:
        nodes = 20_000 // side_by_side
        arcs = [
            rescoring_pb2.Arc(start_node=node, end_node=node + 1, label=label(random))
            for node in range(nodes)
            for _ in range(side_by_side)
        ]
        lattice = rescoring_pb2.Lattice(
            arcs=arcs, start_node=0, end_node=nodes, merging=rescoring_pb2.PATH_MERGING_SUM
        )
        return Load(RESCORE, (_rescore(lattice=lattice, search=_most_searched()),))

    return made


def _stream_rescore(utterance: rescoring_pb2.Utterance) -> Load:
    configuration = rescoring_pb2.RescoreConfiguration()
    first = rescoring_pb2.StreamRescoreRequest(configuration=configuration)
    message = rescoring_pb2.StreamRescoreRequest(utterance=utterance)
    return Load(
        STREAM_RESCORE,
        (message.SerializeToString(),),
        first.SerializeToString(),
        is_stream=True,
        pipelined=True,
        in_flight=3,
    )


def _stream_rescore_texts(random: Random) -> Load:
    texts = [words(random, 1000) for _ in range(1000)]
    n_best = rescoring_pb2.NBest(
        candidates=[rescoring_pb2.NBestCandidate(text=text) for text in texts]
    )
    return _stream_rescore(rescoring_pb2.Utterance(history=MARK, n_best=n_best))


def _stream_rescore_scores(random: Random) -> Load:
    return _stream_rescore(rescoring_pb2.Utterance(history=MARK, n_best=_n_best_scores(random)))


SCORING: Mapping[str, Made] = {
    "score_ascii": _score_of(lambda random: words(random, 1000)),
    "score_cjk": _score_of(lambda random: characters(random, 330, 0x4E00, 0x9FFF)),
    "score_astral": _score_of(lambda random: characters(random, 230, 0x20000, 0x2A6DF)),
    "score_astral_deadline": _score_astral_deadline,
    "score_rare": _score_of(lambda random: rare_words(random, 1000)),
    "score_one_word": _score_of(lambda random: rare_word(random, 1000)),
    "score_long": _score_of(lambda random: " ".join(random.choices(COMMON, k=4000)), 55),
    "rescore_scores": _rescore_scores,
    "rescore_times": _rescore_times,
    "rescore_boosts": _rescore_boosts,
    "rescore_empty_entries": fixed(
        RESCORE, nested(4, content=MARK.encode()) + nested(5, 1, content=empties(2))
    ),
    "network_texts": _network_of(lambda random: words(random, 12), 10),
    "network_rare": _network_of(lambda random: rare_word(random, 3), 10),
    "network_wide": _network_of(lambda random: rare_word(random, 3), 1000),
    "network_empties": _network_of(lambda _: "", 2),
    "network_single_empties": _network_of(lambda _: "", 1),
    "network_one_slot": _network_of(lambda _: "", 20_000),
    "lattice_texts": _lattice_of(lambda random: words(random, 12), 10),
    "lattice_rare": _lattice_of(lambda random: rare_word(random, 3), 10),
    "lattice_empties": _lattice_of(lambda _: "", 2),
    "stream_rescore_texts": _stream_rescore_texts,
    "stream_rescore_scores": _stream_rescore_scores,
}
"""Loads of `ScoringService`."""
