"""Choose the precision of the matrix products for the processor or GPU that trains.

Processors and GPUs without bfloat16 instructions emulate such products, at a twelfth of the speed
of float32 or less (docs/performance.md).
"""

from dataclasses import dataclass

import torch

from wordgate.training.recipe import Cell, Precision

_PRODUCTS = {"bfloat16": torch.bfloat16, "float32": torch.float32}
_EMULATED = (
    "bfloat16 products are emulated here, 12 or more times slower than float32; "
    'set training.precision = "auto" or "float32"'
)


@dataclass(frozen=True)
class ProductPrecision:
    """The precision in use ("bfloat16" or "float32"), why, and a warning if it is slow here."""

    name: str
    reason: str
    warning: str = ""

    @property
    def products(self) -> torch.dtype:
        """The type of the matrix products' operands."""
        return _PRODUCTS[self.name]


def choose_precision(
    asked: Precision, device: torch.device, cell: Cell = "lstm"
) -> ProductPrecision:
    """Return the precision to train with on `device`.

    "auto" is bfloat16 where the hardware multiplies it, float32 elsewhere and for cells other than
    the LSTM, whose layers have float32 products only.
    """
    if cell != "lstm":
        return ProductPrecision("float32", f"network.cell is {cell!r}, which trains in float32")
    has_bfloat16, hardware = _bfloat16_hardware(device)
    if asked == "auto":
        return ProductPrecision("bfloat16" if has_bfloat16 else "float32", hardware)
    slow = asked == "bfloat16" and not has_bfloat16
    return ProductPrecision(asked, "set in the recipe", _EMULATED if slow else "")


def _bfloat16_hardware(device: torch.device) -> tuple[bool, str]:
    """Return whether `device` multiplies bfloat16 in hardware, and a sentence on it."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            has_it = torch.cuda.is_bf16_supported(including_emulation=False)
        name = torch.cuda.get_device_name(device)
        return has_it, f"{name} has {'' if has_it else 'no '}bfloat16 units"
    if torch.cpu._is_amx_tile_supported():
        return True, "the processor has AMX"
    if torch.cpu._is_avx512_bf16_supported():
        return True, "the processor has AVX-512 BF16"
    return False, "the processor has neither AVX-512 BF16 nor AMX"
