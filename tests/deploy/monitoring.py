"""A real Prometheus with the project's configuration."""

import json
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copy
from typing import Any

import yaml
from tests.deploy.programs import DEPLOY, document, program, running
from tests.running import until

FOLDER = DEPLOY / "prometheus"
CONFIGURATION = FOLDER / "prometheus.yml"
RULES = FOLDER / "rules.yml"


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    address: str

    def query(self, query: str) -> list[Any]:
        """Return the series of an instant query."""
        asked = urllib.parse.urlencode({"query": query})
        url = f"http://{self.address}/api/v1/query?{asked}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
        return found

    def value(self, query: str) -> float:
        """Return the sum of an instant query; 0 without series."""
        return sum(float(series["value"][1]) for series in self.query(query))


def prometheus() -> str:
    """Return the path of Prometheus. Skips the test without it."""
    return program("prometheus", "Debian's package prometheus")


def promtool() -> str:
    """Return the path of promtool. Skips the test without it."""
    return program("promtool", "Debian's package prometheus")


@contextmanager
def scraping(targets: Sequence[str], folder: Path, interval: str = "250ms") -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes these addresses, by default several times per second."""
    copy(RULES, folder)
    written = folder / "prometheus.yml"
    written.write_text(yaml.safe_dump(_configured(targets, interval)))
    found = Prometheus(_free_address())
    command = [prometheus(), f"--config.file={written}", f"--storage.tsdb.path={folder / 'data'}"]
    with running([*command, f"--web.listen-address={found.address}"]) as process:
        until(lambda: process.poll() is not None or _answers(found), "Prometheus")
        assert process.poll() is None, "Prometheus ended"
        until(lambda: found.value('up{job="wordgate"}') == len(targets), "all to be scraped")
        yield found


def _configured(targets: Sequence[str], interval: str) -> Any:
    configuration = document(CONFIGURATION)
    configuration["global"] = {"scrape_interval": interval, "evaluation_interval": "500ms"}
    [job] = [job for job in configuration["scrape_configs"] if job["job_name"] == "wordgate"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": list(targets)}]
    return configuration | {"scrape_configs": [job]}


def _answers(found: Prometheus) -> bool:
    try:
        found.query("vector(1)")
    except OSError:
        return False
    return True


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"
