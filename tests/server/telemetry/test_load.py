"""Load figures from the metrics of a server process."""

from tests.clock import Clock

from wordgate.server.telemetry.load import LoadFigures
from wordgate.server.telemetry.metrics import Method, Metrics

PREDICT = Method("wordgate.v1.PredictionService", "Predict", "unary")
SESSION = Method("wordgate.v1.PredictionService", "StreamPredict", "bidi_stream")
SCORE = Method("wordgate.v1.ScoringService", "Score", "unary")
HEALTH = Method("grpc.health.v1.Health", "Check", "unary")


def test_requests_are_those_of_our_services() -> None:
    """Health checks do not count as requests."""
    metrics = Metrics()
    for method in (PREDICT, PREDICT, SCORE, HEALTH):
        metrics.started(method)
    figures = LoadFigures(metrics.registry).read()
    assert (figures["requests"], figures["keys"]) == (3, 2)


def test_a_key_is_a_prediction_or_an_edit_of_a_session() -> None:
    """The configuration of a session is not a key."""
    metrics = Metrics()
    metrics.started(PREDICT)
    metrics.started(SESSION)
    for _ in range(5):
        metrics.messages(SESSION).received()
    assert LoadFigures(metrics.registry).read()["keys"] == 1 + 4


def test_a_session_without_messages_is_no_key() -> None:
    """Keys are not negative before a session sends its configuration."""
    metrics = Metrics()
    metrics.started(SESSION)
    assert LoadFigures(metrics.registry).read()["keys"] == 0


def test_durations_are_those_of_unary_calls() -> None:
    """Each duration is in one entry only; a session's duration is the client's choice."""
    metrics = Metrics()
    for seconds in (0.0005, 0.002, 0.002, 60.0):
        metrics.handled(PREDICT, "OK", seconds)
    metrics.handled(SCORE, "OK", 0.002)
    metrics.handled(SESSION, "OK", 0.002)
    durations = LoadFigures(metrics.registry).read()["durations"]
    assert durations[:2] == [(0.001, 1), (0.0025, 3)]
    assert durations[-1] == (None, 1)
    assert sum(count for _, count in durations) == 5


def test_rows_and_batches_are_those_of_all_graphs() -> None:
    """Rows per batch is the mean over all inferences."""
    metrics = Metrics()
    metrics.called("step", 3, 0.001)
    metrics.called("output-0", 1, 0.001)
    figures = LoadFigures(metrics.registry).read()
    assert (figures["rows"], figures["batches"]) == (4, 2)


def test_a_sample_is_taken_four_times_per_second_at_most() -> None:
    """A reader that asks more often gets the same one."""
    clock, metrics = Clock(), Metrics()
    figures = LoadFigures(metrics.registry, clock)
    first = figures.read()
    metrics.started(PREDICT)
    clock.now += 0.2
    assert figures.read() == first
    clock.now += 0.05
    assert figures.read() == first | {"seconds": 0.25, "requests": 1, "keys": 1}


def test_samples_of_one_process_share_a_name() -> None:
    """A reader can tell the samples of two processes apart, and time passes between two samples."""
    one, other = LoadFigures(Metrics().registry), LoadFigures(Metrics().registry)
    first, second = one.read(), one.read()
    assert first["process"] == second["process"] != other.read()["process"]
    assert first["seconds"] <= second["seconds"]
