"""The probe for exact int8 matrix products, and the option that depends on it."""

from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from wordgate.bundle.bundle import Bundle
from wordgate.engine import int8_probe, onnx_model
from wordgate.engine.onnx_model import NetworkModel


def test_the_probe_bytes_are_the_documented_graph() -> None:
    """The graph multiplies its input by a constant matrix of 127."""
    weight = helper.make_tensor("v", TensorProto.INT8, [1], [127])
    graph = helper.make_graph(
        [
            helper.make_node("ConstantOfShape", ["shape"], ["b"], value=weight),
            helper.make_node("MatMulInteger", ["a", "b"], ["sums"]),
        ],
        "probe",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, ["rows", 256])],
        [helper.make_tensor_value_info("sums", TensorProto.INT32, ["rows", 64])],
        [helper.make_tensor("shape", TensorProto.INT64, [2], [256, 64])],
    )
    opsets = [helper.make_opsetid("", 21)]
    assert onnx.load_from_string(int8_probe.PROBE) == helper.make_model(
        graph, opset_imports=opsets, ir_version=10
    )


def test_sums_are_exact_with_the_option_everywhere() -> None:
    """The option for CPUs without exact products gives exact products."""
    assert int8_probe.int8_products_are_exact(with_option=True)


def test_saturated_sums_are_detected() -> None:
    """Sums that saturate at 16 bits are not exact."""

    class Saturating:
        """A session that saturates like a CPU without VNNI."""

        def run(self, names: object, feed: dict[str, Any]) -> list[Any]:
            pairs = min(2 * 255 * 127, 2**15 - 1)
            return [pairs * (feed["a"][:, :64].astype(int) * 0 + 128)]

    assert not int8_probe._is_exact(Saturating(), 4)


@pytest.mark.parametrize("exact", [True, False])
def test_the_option_is_set_where_it_is_needed(
    bundle: Path, loaded: Bundle, monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    """The option is set for int8 bundles only on CPUs without exact products."""
    told: list[str | None] = []
    session = onnxruntime.InferenceSession

    def open_session(graph: bytes, options: Any, **more: Any) -> Any:
        told.append(_entry(options))
        return session(graph, options, **more)

    monkeypatch.setattr(onnx_model, "int8_products_are_exact", lambda: exact)
    monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
    manifest = loaded.manifest
    NetworkModel(bundle, manifest.network, manifest.precision)
    assert set(told) == ({None} if exact else {"1"})


def _entry(options: Any) -> str | None:
    try:
        value: str = options.get_session_config_entry(int8_probe.EXACT_SUMS_OPTION)
    except RuntimeError:
        return None
    return value
