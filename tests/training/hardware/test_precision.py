"""The choice of the precision of the matrix products."""

from contextlib import nullcontext

import pytest
import torch

from wordgate.training.hardware.precision import choose_precision
from wordgate.training.recipe import Cell, Precision

CPU = torch.device("cpu")


def _with(monkeypatch: pytest.MonkeyPatch, *, amx: bool = False, avx512: bool = False) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)


@pytest.mark.parametrize(
    ("amx", "avx512", "name", "reason"),
    [
        (False, False, "float32", "neither AVX-512 BF16 nor AMX"),
        (False, True, "bfloat16", "has AVX-512 BF16"),
        (True, False, "bfloat16", "has AMX"),
    ],
)
def test_auto_follows_the_processor(
    monkeypatch: pytest.MonkeyPatch, amx: bool, avx512: bool, name: str, reason: str
) -> None:
    """Auto is bfloat16 on processors that multiply it, and float32 on others."""
    _with(monkeypatch, amx=amx, avx512=avx512)
    found = choose_precision("auto", CPU)
    assert found.name == name
    assert reason in found.reason
    assert not found.warning
    assert found.products == getattr(torch, name)


def test_auto_follows_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that only emulates bfloat16 trains in float32, one with the units in bfloat16."""
    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "GPU")
    for has_it, name in ((True, "bfloat16"), (False, "float32")):

        def supported(including_emulation: bool, answer: bool = has_it) -> bool:
            return including_emulation or answer

        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
        assert choose_precision("auto", torch.device("cuda", 1)).name == name


def test_emulated_bfloat16_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """An explicit bfloat16 is kept; where emulated, a warning has the slowdown and a remedy."""
    _with(monkeypatch)
    found = choose_precision("bfloat16", CPU)
    assert found.name == "bfloat16"
    assert "12 or more times slower" in found.warning
    assert 'training.precision = "auto"' in found.warning
    _with(monkeypatch, avx512=True)
    assert not choose_precision("bfloat16", CPU).warning


@pytest.mark.parametrize("cell", ["rnn", "gru"])
@pytest.mark.parametrize("asked", ["auto", "float32"])
def test_other_cells_train_in_float32(
    monkeypatch: pytest.MonkeyPatch, cell: Cell, asked: Precision
) -> None:
    """On any processor a GRU or a simple recurrent network has float32 products."""
    _with(monkeypatch, amx=True)
    assert choose_precision(asked, CPU, cell).name == "float32"
