"""The Kubernetes manifests: valid, and consistent with each other and with the server."""

import re
from typing import Any

import kubernetes_validate
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector
from starlette.routing import Route
from tests.deploy.programs import DEPLOY, ROOT, document
from tests.deploy.queries import known

from wordgate.cli.options.configuration import configuration_options
from wordgate.protocol.address import split_address
from wordgate.server.config.options import Configuration
from wordgate.server.telemetry.http import application

FOLDER = DEPLOY / "kubernetes"
VERSIONS = ["1.32", kubernetes_validate.latest_version()]
KUSTOMIZATION = document(FOLDER / "kustomization.yaml")
DEPLOYMENT = document(FOLDER / "deployment.yaml")
AUTOSCALER = document(FOLDER / "autoscaler.yaml")
POD = DEPLOYMENT["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
VARIABLES = {variable["name"]: variable["value"] for variable in CONTAINER["env"]}
PORTS = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", KUSTOMIZATION["resources"])
def test_a_manifest_is_valid(name: str, version: str) -> None:
    """Every manifest conforms to the Kubernetes schema."""
    kubernetes_validate.validate(document(FOLDER / name), version, strict=True)


def test_selectors_match_the_pods() -> None:
    """Selectors match the pods, and the autoscaler references the deployment."""
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == labels
    assert document(FOLDER / "service.yaml")["spec"]["selector"] == labels
    budget = document(FOLDER / "disruption-budget.yaml")
    assert budget["spec"]["selector"]["matchLabels"] == labels
    target = AUTOSCALER["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", DEPLOYMENT["metadata"]["name"])


def test_variables_are_options_of_the_server() -> None:
    """Environment variables are valid options of the server."""
    names = {option.envvar: option.name for option in configuration_options()}
    Configuration(**{names[variable]: value for variable, value in VARIABLES.items()})


def test_ports_are_those_that_the_server_listens_on() -> None:
    """The ports are those of the listen variables and of the defaults."""
    defaults = Configuration()
    for name, variable, default in (
        ("grpc", "WORDGATE_LISTEN", defaults.listen),
        ("http", "WORDGATE_METRICS_LISTEN", defaults.metrics_listen),
    ):
        assert split_address(VARIABLES[variable]) == ("0.0.0.0", PORTS[name])
        assert split_address(default)[1] == PORTS[name]
    service = document(FOLDER / "service.yaml")["spec"]["ports"]
    assert {port["targetPort"]: port["port"] for port in service} == PORTS


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_what_is_probed_is_there(probe: str) -> None:
    """Path and port of each probe exist on the server."""
    asked = CONTAINER[probe]["httpGet"]
    assert asked["path"] in _pages()
    assert asked["port"] == "http"


def test_what_is_scraped_is_there() -> None:
    """The scrape annotations name the metrics endpoint."""
    said = DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]
    assert said["prometheus.io/path"] in _pages()
    assert int(said["prometheus.io/port"]) == PORTS["http"]


def test_the_autoscaler_asks_for_a_metric_that_there_is() -> None:
    """The adapter derives the autoscaler's metric from an existing series."""
    [pods] = [metric["pods"] for metric in AUTOSCALER["spec"]["metrics"] if "pods" in metric]
    [rule] = document(FOLDER / "metrics-adapter.yaml")["rules"]["custom"]
    assert pods["metric"]["name"] == rule["name"]["as"]
    assert rule["seriesQuery"].partition("{")[0] in known()
    assert rule["seriesQuery"].partition("{")[0] in rule["metricsQuery"]


def test_a_pod_has_time_to_drain() -> None:
    """The termination grace period is longer than preStop plus the server's grace period."""
    before = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    least = before + float(VARIABLES["WORDGATE_SHUTDOWN_GRACE_SECONDS"])
    assert POD["terminationGracePeriodSeconds"] > least


def test_the_image_runs_as_the_user_that_it_is_made_for() -> None:
    """The container runs as the image's user, and only /tmp is writable."""
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    context = POD["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in dockerfile
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"]
    [image] = KUSTOMIZATION["images"]
    assert image["name"] == CONTAINER["image"]
    assert re.search(rf"image: {image['name']}$", (ROOT / "docker-compose.yml").read_text(), re.M)


def _pages() -> set[str]:
    async def no_metrics() -> Collector:
        return CollectorRegistry()

    routes: list[Any] = application(no_metrics, lambda: True).routes
    return {route.path for route in routes if isinstance(route, Route)}
