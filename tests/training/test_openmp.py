"""OpenMP settings before torch is imported."""

import os

import pytest

from wordgate.training.openmp import limit_openmp_spinning


@pytest.mark.parametrize(
    ("told", "spins"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_threads_wait_briefly_unless_told(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, str], spins: str | None
) -> None:
    """Variables set by the user are not changed."""
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    limit_openmp_spinning()
    assert os.environ.get("GOMP_SPINCOUNT") == spins
