"""A Docker engine for tests, with stand-ins for images that cannot be pulled.

A stand-in has the name of the image and contains the program installed on this machine. It is
removed after the test.
"""

import importlib.util
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.deploy.monitoring import prometheus
from tests.deploy.programs import program
from tests.deploy.proxy import envoy

PULL_SECONDS = 300
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
DEBIAN = "bookworm"
"""The Debian release with Python 3.11."""

ENVOY = """
FROM python:3.11-slim
COPY program /usr/local/bin/envoy
ENTRYPOINT ["envoy"]
CMD ["-c", "/etc/envoy/envoy.yaml"]
"""

PROMETHEUS = """
FROM python:3.11-slim
COPY program /bin/prometheus
RUN mkdir /prometheus && chown 65534:65534 /prometheus
USER 65534
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
"""


def docker(*arguments: str | Path, check: bool = True) -> str:
    """Run docker and return its output. Fails the test on errors."""
    return _said([_docker(), *arguments], check)


def compose_command() -> list[str]:
    """Return the Compose command, plugin or standalone. Skips the test without it."""
    plugin = [_docker(), "compose"]
    if subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode == 0:
        return plugin
    return [program("docker-compose", "Debian's package docker-compose")]


def need_engine() -> None:
    """Skip the test without a Docker engine."""
    found = subprocess.run([_docker(), "info"], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("no Docker engine answers: start dockerd")


@contextmanager
def images(names: Sequence[str], folder: Path) -> Iterator[None]:
    """Provide these images. Skips the test if one can neither be pulled nor built."""
    made = []
    try:
        for number, name in enumerate(names):
            if not _present(name) and not _pulled(name):
                place = folder / str(number)
                place.mkdir()
                _STAND_INS[name.partition(":")[0]](name, place)
                made.append(name)
        yield
    finally:
        for name in reversed(made):
            docker("rmi", "--force", name)


def _docker() -> str:
    return program("docker", "Debian's package docker.io")


def _said(command: Sequence[str | Path], check: bool = True) -> str:
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not (check and found.returncode), found.stdout[-2000:] + found.stderr[-4000:]
    return found.stdout + found.stderr


def _present(name: str) -> bool:
    asked = [_docker(), "image", "inspect", name]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _pulled(name: str) -> bool:
    try:
        asked = [_docker(), "pull", "--quiet", name]
        found = subprocess.run(asked, capture_output=True, check=False, timeout=PULL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return found.returncode == 0


def _debian(name: str, folder: Path) -> None:
    """Build Debian with its own Python and this machine's CA certificates."""
    debootstrap = program("debootstrap", "Debian's package debootstrap, where no image can be had")
    if os.geteuid():
        pytest.skip(f"{name} cannot be pulled, and only root can make a stand-in")
    root = folder / "root"
    packages = "--include=ca-certificates,python3,python3-venv"
    _said([debootstrap, "--variant=minbase", packages, DEBIAN, root])
    trusted = ssl.get_default_verify_paths().cafile
    if trusted:
        shutil.copy(trusted, root / CERTIFICATES)
    packed = folder / "root.tar"
    _said(["tar", "--directory", root, "--create", "--file", packed, "."])
    docker("import", "--change", f"ENV PIP_CERT=/{CERTIFICATES}", packed, name)


def _with_program(path: Callable[[], str], dockerfile: str) -> Callable[[str, Path], None]:
    def make(name: str, folder: Path) -> None:
        shutil.copy(_binary(path()), folder / "program")
        (folder / "Dockerfile").write_text(dockerfile)
        docker("build", "--tag", name, folder)

    return make


def _binary(path: str) -> Path:
    """Return the binary if the program on the PATH is a Python wrapper."""
    with Path(path).open("rb") as file:
        if file.read(2) != b"#!":
            return Path(path)
    package = importlib.util.find_spec("envoy")
    assert package and package.origin
    return Path(package.origin).parent / "_bin" / "envoy"


_STAND_INS: dict[str, Callable[[str, Path], None]] = {
    "python": _debian,
    "envoyproxy/envoy": _with_program(envoy, ENVOY),
    "prom/prometheus": _with_program(prometheus, PROMETHEUS),
}
