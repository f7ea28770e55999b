"""Benchmarks print the documented figures; the tests do not check this machine's speed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.bundles import write_bundle

from wordgate.bench.training import training_step
from wordgate.cli.main import wordgate


def test_a_model_is_timed_by_graph_and_rows(tmp_path: Path) -> None:
    """Every graph has a throughput per batch size; every context word gets a prediction."""
    write_bundle(tmp_path)
    arguments = ["bench", "model", "--model", str(tmp_path / "tiny"), "--repetitions", "1"]
    found = json.loads(CliRunner().invoke(wordgate, [*arguments, "--json"]).stdout)
    assert found["model"] == "tiny@1"
    speeds = found["rows_per_second"]
    assert set(speeds) >= {"step", "output-0", "output-1"}
    assert all(
        list(by_rows) == ["1", "2", "4", "8", "16", "32", "64"] for by_rows in speeds.values()
    )
    assert all(speed > 0 for by_rows in speeds.values() for speed in by_rows.values())
    assert 0 < found["predict_p50_ms"] <= found["predict_p99_ms"]
    assert found["predictions"] > 200
    assert found["rows_per_search"] >= 1
    shown = CliRunner().invoke(wordgate, arguments).stdout
    assert "64 rows" in shown
    assert "rows/s" in shown


def test_the_training_step_is_compared_with_a_plain_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ratio is that of the two speeds, and all settings are reported."""
    found = training_step.run(
        batch=3,
        length=4,
        layers=1,
        width=16,
        vocabulary=600,
        cutoffs=(100, 600),
        repetitions=1,
        steps=1,
        threads=1,
    )
    ratio = found["tokens_per_second"] / found["plain_loop_tokens_per_second"]
    assert found["ratio"] == pytest.approx(ratio, rel=0.01)
    assert (found["batch"], found["length"], found["threads"]) == (3, 4, 1)
    monkeypatch.setattr(
        training_step, "run", lambda batch, length, **others: {"batch": batch} | others
    )
    arguments = [
        "bench",
        "train",
        "--batch",
        "5",
        "--threads",
        "1",
        "--precision",
        "float32",
        "--json",
    ]
    printed = json.loads(CliRunner().invoke(wordgate, arguments).stdout)
    assert printed == {"batch": 5, "threads": 1, "repetitions": 7, "precision": "float32"}


def test_scoring_is_compared_with_a_padded_batch_and_a_limit(tmp_path: Path) -> None:
    """All variants have a speed on the included sample, in process and through a server."""
    write_bundle(tmp_path)
    arguments = ["bench", "score", "--model", str(tmp_path / "tiny"), "--utterances", "4"]
    ended = CliRunner().invoke(wordgate, [*arguments, "--repetitions", "1", "--json"])
    found = json.loads(ended.stdout)
    assert list(found)[:5] == [
        "candidates_per_second",
        "speedup_over_padded_batch",
        "speedup_over_one_by_one",
        "fraction_of_matmul_limit",
        "sharing",
    ]
    assert found["candidates"] == 200
    assert 0 < found["sharing"] < 1
    assert set(found["rows"]) >= {"step", "output-0"}
    assert all(value > 0 for name, value in found.items() if name.endswith("candidates_per_second"))


def test_typing_is_timed_at_a_persons_speed_in_a_closed_loop_and_beside_scoring(
    tmp_path: Path,
) -> None:
    """The figures have a fixed shape, and every key was answered or superseded."""
    write_bundle(tmp_path)
    arguments = ["bench", "type", "--model", str(tmp_path / "tiny"), "--typists", "6", "--json"]
    brief = ["--seconds", "1", "--warm-up-seconds", "0.1", "--inter-key-ms", "40"]
    ended = CliRunner().invoke(wordgate, [*arguments, *brief, "--closed-loop-clients", "2"])
    found = json.loads(ended.stdout)
    assert list(found)[:6] == [
        "typists",
        "p50_ms",
        "p99_ms",
        "keys_per_second",
        "p99_ms_under_scoring",
        "steps_per_key",
    ]
    assert all(found[name] > 0 for name in list(found)[:6])
    assert found["candidates_per_second_under_scoring"] > 0
    for counts in (found["keys"], found["keys_under_scoring"]):
        assert counts["pressed"] == counts["answered"] + counts["superseded"]
        assert 0 < counts["timed"] <= counts["answered"]
    assert (found["model"], found["engine_threads"]) == ("tiny@1", 2)


def test_the_memory_of_sessions_stands_beside_that_of_bare_streams(tmp_path: Path) -> None:
    """Sessions and bare streams are measured, each on its own server."""
    write_bundle(tmp_path)
    arguments = ["bench", "sessions", "--model", str(tmp_path / "tiny"), "--sessions", "50"]
    found = json.loads(CliRunner().invoke(wordgate, [*arguments, "--json"]).stdout)
    assert list(found)[:4] == [
        "sessions",
        "kb_per_session",
        "kb_per_bare_stream",
        "kb_beside_bare_stream",
    ]
    beside = found["kb_per_session"] - found["kb_per_bare_stream"]
    assert found["kb_beside_bare_stream"] == pytest.approx(beside, abs=0.02)


@pytest.mark.long
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_server_is_timed_until_it_answers_again(tmp_path: Path, workers: str) -> None:
    """The time from the kill exceeds that from the start; phases of a start are in order."""
    write_bundle(tmp_path)
    arguments = ["bench", "restart", "--model", str(tmp_path / "tiny"), "--kills", "2", "--json"]
    found = json.loads(CliRunner().invoke(wordgate, [*arguments, "--workers", workers]).stdout)
    for quartile in ("lower", "median", "upper"):
        from_kill, from_start = (
            found[f"{name}_to_answer_seconds"][quartile] for name in ("kill", "start")
        )
        assert from_kill >= from_start > 0
    parts = found["parts_seconds"]
    assert list(parts) == ["interpreter", "imports", "verify", "load", "smoke", "warm_up"]
    assert all(seconds > 0 for seconds in parts.values())
    assert (found["kills"], found["workers"]) == (2, int(workers))


def test_a_server_is_given_more_than_it_can_carry(tmp_path: Path) -> None:
    """Some requests are rejected during overload, none afterwards."""
    write_bundle(tmp_path)
    arguments = ["bench", "overload", "--model", str(tmp_path / "tiny"), "--rounds", "1"]
    found = json.loads(
        CliRunner().invoke(wordgate, [*arguments, "--seconds", "1", "--json"]).stdout
    )
    assert found["model"] == "tiny@1"
    assert 0 < found["accepted_per_second"] < found["offered_per_second"]
    assert found["rejected_afterwards"] == 0
    assert found["p99_ratio"] > 0
    before, after = found["resident_megabytes"]
    assert after < before + 100


@pytest.mark.long
def test_one_callers_load_is_set_against_memory_and_another_caller(tmp_path: Path) -> None:
    """Calls are counted by status code; another client is timed alone and alongside each load."""
    write_bundle(tmp_path)
    arguments = ["bench", "isolation", "--model", str(tmp_path / "tiny"), "--rounds", "1"]
    brief = ["--seconds", "4", "--outcome-calls", "20", "--json"]
    wanted = ("outcomes/invalid", "outcomes/too_large", "legal/get_model", "rejected/not_found")
    only = [word for name in wanted for word in ("--only", name)]
    ended = CliRunner().invoke(wordgate, [*arguments, *brief, *only])
    found = json.loads(ended.stdout)
    assert list(found)[:5] == ["worst", "outcomes", "legal", "rejected", "costs"]
    assert set(found["worst"]) == {"growth_megabytes", "legal_p99_ms", "rejected_p99_ms"}
    outcomes = found["outcomes"]
    assert sum(outcomes["invalid"]["codes"].values()) == 20
    assert set(outcomes["invalid"]["codes"]) <= {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}
    assert outcomes["too_large"]["codes"] == {"RESOURCE_EXHAUSTED": 20}
    for outcome in outcomes.values():
        memory = outcome["resident_megabytes"]
        assert 0 < memory["before"] <= memory["peak"]
        assert outcome["growth_megabytes"] == pytest.approx(
            memory["after"] - memory["before"], abs=1
        )
    for load, code in (
        (found["legal"]["get_model"], "OK"),
        (found["rejected"]["not_found"], "NOT_FOUND"),
    ):
        assert code in load["codes"]
        assert load["calls"] == sum(load["codes"].values())
        for phase in (load["alone"], load["beside"]):
            for ping in ("health", "predict"):
                assert 0 < phase[ping]["p50_ms"] <= phase[ping]["p99_ms"] <= phase[ping]["max_ms"]
                assert phase[ping]["pings"] == 100
        assert not load["stopped_early"]
        assert not load["server_ended"]


@pytest.mark.long
def test_a_legal_request_has_a_stated_cost(tmp_path: Path) -> None:
    """Time and model rows are reported per load, and for the most expensive load per method."""
    write_bundle(tmp_path)
    arguments = ["bench", "isolation", "--model", str(tmp_path / "tiny"), "--rounds", "0"]
    wanted = ("predict_tokens", "predict_rare_prefix", "stream_predict_end", "get_model")
    only = [word for name in wanted for word in ("--only", f"legal/{name}")]
    ended = CliRunner().invoke(wordgate, [*arguments, *only, "--requests", "2", "--json"])
    found = json.loads(ended.stdout)
    costs = {name: found["legal"][name]["cost"] for name in wanted}
    for each in costs.values():
        assert each["codes"] == ["OK"]
        assert each["ms"] > 0
        assert each["processor_ms"] >= 0
    assert 128 < costs["predict_tokens"]["steps"] < 1100
    assert costs["stream_predict_end"]["steps"] > 128
    assert costs["predict_rare_prefix"]["outputs"] > 0
    assert (costs["get_model"]["steps"], costs["get_model"]["outputs"]) == (0, 0)
    assert set(found["costs"]) == {"Predict", "StreamPredict", "GetModel"}
    dearest = found["costs"]["Predict"]
    assert dearest["processor_ms"] == max(costs[name]["processor_ms"] for name in wanted[:2])
    assert costs[dearest["load"]]["steps"] == dearest["steps"]


def test_an_unknown_load_is_refused_by_name() -> None:
    """The error lists the available loads."""
    arguments = ["bench", "isolation", "--only", "legal/score_latin"]
    ended = CliRunner().invoke(wordgate, arguments)
    assert ended.exit_code != 0
    assert "legal/score_cjk" in str(ended.exception)


def test_a_load_that_takes_too_much_memory_is_stopped(tmp_path: Path) -> None:
    """A load ends when the server exceeds the memory limit, and the figures show it."""
    write_bundle(tmp_path)
    arguments = [
        "bench",
        "isolation",
        "--model",
        str(tmp_path / "tiny"),
        "--only",
        "outcomes/invalid",
    ]
    brief = ["--outcome-calls", "100000", "--max-resident-megabytes", "1", "--json"]
    found = json.loads(CliRunner().invoke(wordgate, [*arguments, *brief]).stdout)
    outcome = found["outcomes"]["invalid"]
    assert outcome["stopped_early"]
    assert not outcome["server_ended"]
    assert outcome["calls"] < 100_000


def test_small_callers_are_measured_beside_large_ones(tmp_path: Path) -> None:
    """Small requests run alongside large ones, then three equal clients run."""
    write_bundle(tmp_path)
    arguments = ["bench", "overload", "--mix", "fairness", "--model", str(tmp_path / "tiny")]
    found = json.loads(
        CliRunner()
        .invoke(wordgate, [*arguments, "--rounds", "1", "--seconds", "2", "--json"])
        .stdout
    )
    assert (found["large_callers"], found["callers_of_equal"]) == (2, 3)
    for mix in ("small_alone", "small_beside_large", "equal_callers"):
        assert found[mix]["requests"] > 0
        assert 0 <= found[mix]["rejected_share"] <= 1
        assert found[mix]["p50_ms"] > 0
