"""Rules and alerts, checked with promtool and with a Prometheus that scrapes a server."""

import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.deploy.monitoring import CONFIGURATION, FOLDER, RULES, promtool, scraping
from tests.deploy.programs import ROOT, document
from tests.deploy.queries import TARGET_LABELS, known, shown, used
from tests.running import RunningServer, until

from wordgate.api.v1.prediction_pb2 import PredictRequest
from wordgate.api.v1.prediction_pb2_grpc import PredictionServiceStub
from wordgate.protocol.address import split_address
from wordgate.server.config.options import Configuration

GROUPS = document(RULES)["groups"]
EVERY_RULE: list[Any] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in EVERY_RULE if "alert" in rule]
RECORDED = {rule["record"] for rule in EVERY_RULE if "record" in rule}
TESTS = sorted(path.name for path in FOLDER.glob("*_test.yml"))


@pytest.mark.parametrize(
    "check",
    [
        ("check", "rules", "rules.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", *TESTS),
    ],
    ids=["rules", "configuration", "tests of the rules"],
)
def test_promtool_finds_no_fault(check: tuple[str, ...]) -> None:
    """promtool accepts rules and configuration, and the unit tests of the rules pass."""
    _promtool(*check)


def test_the_page_is_as_prometheus_wants_it(server: RunningServer) -> None:
    """promtool's linter accepts the names, units and help texts of the metrics."""
    _, page = server.get("/metrics")
    _promtool("check", "metrics", given=page)


@pytest.mark.parametrize("rule", EVERY_RULE, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_names_only_what_a_server_has(rule: Any) -> None:
    """The metrics, labels and status codes of each rule exist."""
    names, series = used(rule["expr"]), known()
    assert names.metrics <= series.keys() | RECORDED
    labels = set[str]().union(*(series.get(name, set[str]()) for name in names.metrics))
    if not names.metrics & RECORDED:
        assert names.labels <= labels | TARGET_LABELS
    texts = " ".join(rule.get("annotations", {}).values())
    every = set[str]().union(*series.values())
    assert shown(texts) - {"value"} <= every | TARGET_LABELS
    assert names.codes <= {code.name.title().replace("_", "") for code in grpc.StatusCode}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_is_tested_and_explained(rule: Any) -> None:
    """Each alert has a test that it fires, and a paragraph in docs/operations.md."""
    tests = [test for name in TESTS for test in document(FOLDER / name)["tests"]]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    assert [c for c in cases if c["alertname"] == rule["alert"] and c["exp_alerts"]]
    assert f"### {rule['alert']}\n" in (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert rule["labels"]["severity"] in {"critical", "warning"}


def test_the_limits_in_alerts_are_the_servers() -> None:
    """The limits in alert descriptions equal the configuration's defaults."""
    described = {rule["alert"]: rule["annotations"]["description"] for rule in ALERTS}
    defaults = Configuration()
    assert f"{defaults.max_queue_delay_seconds} s" in described["WordgateQueueLong"]
    assert f"{defaults.max_sessions:,}" in described["WordgateSessionsFull"]


def test_replicas_are_scraped_where_they_listen() -> None:
    """Prometheus scrapes the port of --metrics-listen."""
    jobs = {job["job_name"]: job for job in document(CONFIGURATION)["scrape_configs"]}
    [found] = jobs["wordgate"]["dns_sd_configs"]
    assert found["port"] == split_address(Configuration().metrics_listen)[1]


def test_prometheus_scrapes_a_server(
    server: RunningServer, channel: grpc.Channel, tmp_path: Path
) -> None:
    """Calls appear in queries, recording rules are evaluated, and no alert fires."""
    handled = 'sum(grpc_server_handled_total{grpc_method="Predict", grpc_code="OK"})'
    with scraping([server.metrics_address], tmp_path) as found:
        before = until(lambda: found.query(handled), "the first scrape")
        stub = PredictionServiceStub(channel)
        for _ in range(3):
            stub.Predict(PredictRequest(history="the clouds"))
        more = float(before[0]["value"][1]) + 3
        until(lambda: found.value(handled) == more, "the calls to be seen")
        until(lambda: found.query('wordgate:calls:rate5m{grpc_method="Predict"}'), "a rule")
        assert found.value("wordgate_model_info") == 1
        assert found.query('ALERTS{alertstate="firing"}') == []


def _promtool(*arguments: str, given: str | None = None) -> None:
    said = subprocess.run(
        [promtool(), *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        cwd=FOLDER,
    )
    assert (said.returncode, said.stderr) == (0, ""), said.stdout + said.stderr
