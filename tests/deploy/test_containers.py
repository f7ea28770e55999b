"""Build and run the image and docker-compose.yml, without Grafana: see test_grafana.py."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.engine import compose_command, docker, images, need_engine
from tests.deploy.load import WARM_CALLS, load
from tests.deploy.monitoring import Prometheus
from tests.deploy.programs import ROOT, document
from tests.running import until

COMPOSE = ROOT / "docker-compose.yml"
IMAGE = "wordgate-tested"
SERVICES = ("wordgate", "envoy", "prometheus")
pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The project's image, built from the Dockerfile."""
    need_engine()
    with images(["python:3.11-slim"], tmp_path_factory.mktemp("images")):
        docker("build", "--network", "host", "--tag", IMAGE, ROOT)
        yield IMAGE
        docker("rmi", "--force", IMAGE)


@dataclass(frozen=True)
class Project:
    """A running Compose project."""

    command: tuple[str, ...]

    def say(self, *arguments: str) -> str:
        """Run Compose and return its output."""
        command = [*self.command, *arguments]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stderr
        return found.stdout.strip()

    def address(self, service: str, port: int) -> str:
        """Return the published address of a service's port."""
        return self.say("port", service, str(port))

    @property
    def replicas(self) -> list[str]:
        """Return the running server containers."""
        return self.say("ps", "-q", "wordgate").split()


@pytest.fixture
def project(image: str, tmp_path: Path) -> Iterator[Project]:
    """Replicas, Envoy and Prometheus of docker-compose.yml, on free ports."""
    services = document(COMPOSE)["services"]
    written = tmp_path / "docker-compose.yml"
    written.write_text(yaml.safe_dump(_on_free_ports()))
    name = f"wordgate-{tmp_path.name.replace('_', '-')}"
    options = ("-f", str(written), "--project-directory", str(ROOT), "-p", name)
    running = Project((*compose_command(), *options))
    with images([services[name]["image"] for name in SERVICES[1:]], tmp_path):
        try:
            running.say("up", "-d", "--no-build")
            until(lambda: all(_health(r) == "healthy" for r in running.replicas), "health")
            yield running
        finally:
            running.say("down", "--volumes", "--timeout", "1")


def test_the_image_holds_what_serving_needs_and_no_more(image: str) -> None:
    """The image has no torch, onnx or pip; its model works; its user is unprivileged."""
    absent = "import importlib.util as u, sys; print([u.find_spec(n) for n in sys.argv[1:]])"
    run = ("run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp")
    python = (*run, "--entrypoint", "python3", image, "-c", absent)
    assert docker(*python, "torch", "onnx", "pip").strip() == "[None, None, None]"
    answer = docker(*run, image, "predict", "--history", "see you", "--json")
    assert json.loads(answer)["model"]["name"] == "en"
    assert docker(*run, "--entrypoint", "id", image, "-u").strip() == "10001"


def test_replicas_behind_envoy_are_watched_and_can_be_lost(project: Project) -> None:
    """Calls are balanced; when one replica is killed and another drained, no call fails."""
    first, second = project.replicas
    found = Prometheus(project.address("prometheus", 9090))
    until(lambda: found.value('up{job="wordgate"}') == 2, "both to be scraped")
    until(lambda: found.value('up{job="envoy"}') == 1, "Envoy to be scraped")
    with load(project.address("envoy", 50051)) as calling:
        calling.more(WARM_CALLS)
        started = 'sum by (instance) (grpc_server_started_total{grpc_method="Predict"}) > 0'
        until(lambda: len(found.query(started)) == 2, "both to be asked")
        docker("kill", first)
        calling.more(10 * WARM_CALLS)
        docker("start", first)
        until(lambda: _health(first) == "healthy", "the first to come back")
        until(lambda: found.value('up{job="wordgate"}') == 2, "both to be scraped")
        docker("stop", second)
        calling.more(10 * WARM_CALLS)
    assert calling.are_all_alike
    assert _state(second)["ExitCode"] == 0
    assert '"event": "stopped"' in docker("logs", second)


def test_a_replica_is_read_only_and_unprivileged(project: Project) -> None:
    """Only /tmp is writable, there are no capabilities, and the health check passes."""
    [replica, *_] = project.replicas
    held: Any = json.loads(docker("inspect", replica))[0]["HostConfig"]
    assert held["ReadonlyRootfs"]
    assert held["CapDrop"] == ["ALL"]
    said = docker("exec", replica, "touch", "/opt/wordgate/here", check=False)
    assert "Read-only file system" in said
    assert docker("exec", replica, "wordgate", "probe").strip() == "127.0.0.1:50051: SERVING"


def _on_free_ports() -> Any:
    """Return docker-compose.yml without Grafana and builds, with free ports."""
    compose = document(COMPOSE)
    compose["services"] = {name: compose["services"][name] for name in SERVICES}
    for service in compose["services"].values():
        if service.pop("build", None):
            service["image"] = IMAGE
        ports = [port.rpartition(":")[2] for port in service.get("ports", [])]
        if ports:
            service["ports"] = [f"127.0.0.1::{port}" for port in ports]
    return compose


def _state(container: str) -> Any:
    return json.loads(docker("inspect", container))[0]["State"]


def _health(container: str) -> str:
    return str(_state(container)["Health"]["Status"])
