"""The padded-batch baseline computes the same scores as the engine."""

from pathlib import Path

import pytest
from tests.bundles import write_bundle

from wordgate.bench.scoring.padded_baseline import PaddedBatch
from wordgate.engine.local_model import LocalModel

TEXTS = ["the cat sat", "", "the clouds are in the sky and the sun is in the sea", "Ünï 🦆 x"]


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-3), ("int8", 0.5)], ids=["float32", "int8"]
)
@pytest.mark.parametrize("layers", [1, 3])
def test_a_padded_batch_scores_as_the_engine_does(
    tmp_path: Path, precision: str, tolerance: float, layers: int
) -> None:
    """A bundle's weights give the same scores in onnxruntime's LSTM with the full output layer."""
    bundle = write_bundle(tmp_path, precision=precision, layers=layers)
    model = LocalModel.open(bundle)
    tokenizer = model.served.bundle.language.tokenizer
    expected = [found.log_prob for found in model.submit_score("", TEXTS).result().candidates]
    model.close()
    batch = PaddedBatch(bundle, threads=1)
    found = batch.score([tokenizer.encode(text) for text in TEXTS])
    assert found == pytest.approx(expected, abs=tolerance)
    alone = [batch.score([tokenizer.encode(text)])[0] for text in TEXTS]
    assert found == pytest.approx(alone, abs=1e-3)
