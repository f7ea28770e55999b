"""The Grafana dashboard: current, valid, and every chart has data."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.grafana.dashboard import TARGET, dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as grafana
from grafana_foundation_sdk.models import prometheus, timeseries
from tests.deploy.monitoring import RULES, Prometheus, promtool, scraping
from tests.deploy.programs import DEPLOY, document
from tests.deploy.queries import TARGET_LABELS, known, shown, used
from tests.running import RunningServer, serving, until

from wordgate.client import AsyncClient

RECORDED = {rule.get("record") for group in document(RULES)["groups"] for rule in group["rules"]}
PANELS: list[Any] = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
LINES: list[Any] = [target for panel in PANELS for target in panel["targets"]]
PROVISIONING = DEPLOY / "grafana" / "provisioning"


def test_the_dashboard_is_what_its_script_writes() -> None:
    """The committed JSON is current: python deploy/grafana/dashboard.py."""
    assert json.loads(TARGET.read_text("utf-8")) == dashboard()


SCHEMATA: list[tuple[Any, Any]] = [
    (grafana.Dashboard, dashboard()),
    *((timeseries.Options, panel["options"]) for panel in PANELS),
    *((prometheus.Dataquery, line) for line in LINES),
]


def test_grafana_knows_every_field() -> None:
    """No field is lost in a round trip through Grafana's schema."""
    for kind, written in SCHEMATA:
        read = json.loads(json.dumps(kind.from_json(written), cls=JSONEncoder))
        assert not list(_lost(written, read))
    misspelt = [panel | {"titel": panel["title"]} for panel in PANELS]
    read = json.loads(json.dumps(grafana.Panel.from_json(misspelt[0]), cls=JSONEncoder))
    assert list(_lost(misspelt[0], read)) == ["titel"]


def _lost(written: Any, read: Any) -> Iterator[str]:
    """Yield the paths of fields that differ."""
    if isinstance(written, dict) and isinstance(read, dict):
        for name, value in written.items():
            yield from (f"{name}{rest}" for rest in _lost(value, read.get(name, ...)))
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for place, (value, other) in enumerate(zip(written, read, strict=True)):
            yield from (f"[{place}]{rest}" for rest in _lost(value, other))
    elif written != read:
        yield ""


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["expr"])
def test_a_chart_names_only_what_a_server_has(line: Any) -> None:
    """The metrics and labels of each query and legend exist."""
    names, series = used(line["expr"]), known()
    assert names.metrics
    assert names.metrics <= series.keys() | RECORDED
    labels = set[str]().union(*(series.get(name, set[str]()) for name in names.metrics))
    labels |= TARGET_LABELS
    if not names.metrics & RECORDED:
        assert names.labels <= labels
        assert shown(line["legendFormat"]) <= labels


def test_charts_do_not_overlap() -> None:
    """No two panels overlap, and all are within the page."""
    taken = set[tuple[int, int]]()
    for place in (panel["gridPos"] for panel in dashboard()["panels"]):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        taken |= cells
    assert {x for x, _ in taken} == set(range(24))


def test_grafana_finds_source_and_dashboard() -> None:
    """The panels use the provisioned data source, and the dashboard folder is mounted."""
    [source] = document(PROVISIONING / "datasources" / "prometheus.yml")["datasources"]
    assert {panel["datasource"]["uid"] for panel in PANELS} == {source["uid"]}
    [provider] = document(PROVISIONING / "dashboards" / "wordgate.yml")["providers"]
    compose = (DEPLOY.parent / "docker-compose.yml").read_text("utf-8")
    [mounted] = [v for v in _volumes(compose, "grafana") if "grafana/dashboards" in v]
    assert provider["options"]["path"] in mounted


async def test_every_chart_shows_something(bundle: Path, tmp_path: Path) -> None:
    """After some traffic, a real Prometheus returns series for each query."""
    promtool()
    with serving(bundle) as server, scraping([server.metrics_address], tmp_path) as found:
        await _a_little_of_everything(server)
        for line in LINES:
            query = line["expr"].replace("$__rate_interval", "1m")
            until(partial(found.query, query), f"an answer to {query}")
        _no_chart_is_all_zero(found)


def _no_chart_is_all_zero(found: Prometheus) -> None:
    assert found.value("sum(rate(wordgate_model_rows_total[1m]))") > 0
    assert found.value("sum(wordgate_typed_words_total)") > 0


async def _a_little_of_everything(server: RunningServer) -> None:
    async with AsyncClient(server.address) as client:
        for _ in range(4):
            await client.predict("the clouds are in the", "s")
            await client.score("the", ["sun is", "cat sat"])
        async with client.typing_session() as session:
            answer = await session.suggest("the clouds are in the s")
            await session.accept(answer)
            for letter in "and the cat ":
                await session.wait_for(await session.insert(letter))


def _volumes(compose: str, service: str) -> list[str]:
    return list(yaml.safe_load(compose)["services"][service]["volumes"])
