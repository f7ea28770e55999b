"""Training runs: learning, interruption and exact resumption."""

import json
import math
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tests.training.small_run import start_elsewhere, train_here, write_recipe

from wordgate.bundle.manifest import SCHEMA_VERSION, Manifest, NetworkSizes, SmokeCase
from wordgate.errors import InvalidFile, InvalidRecipe, TrainingError
from wordgate.training import checkpoint as checkpoints
from wordgate.training import metrics_log
from wordgate.training.loop import Outcome
from wordgate.training.model.network import Network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the recipe and the cache of all runs in this file."""
    return tmp_path_factory.mktemp("small")


@pytest.fixture(scope="module")
def recipe(folder: Path) -> Path:
    """The small recipe."""
    return write_recipe(folder)


@pytest.fixture(scope="module")
def whole(recipe: Path, folder: Path) -> Outcome:
    """An uninterrupted run."""
    return train_here(recipe, folder / "whole")


def _same_weights(one: Path, other: Path) -> bool:
    first, second = checkpoints.load(one), checkpoints.load(other)
    return first.weights.keys() == second.weights.keys() and all(
        torch.equal(first.weights[name], second.weights[name]) for name in first.weights
    )


def test_a_training_learns(tmp_path: Path) -> None:
    """Perplexities fall, also for the first words of texts, with both outputs."""
    eager = [("layers = 2", "layers = 1"), ("width = 32", "width = 64"), ("= 150", "= 300")]
    for output in ([], [("cutoffs = [400, 700]", 'output = "full"')]):
        recipe = write_recipe(tmp_path, *eager, *output)
        outcome = train_here(recipe, tmp_path / f"run{len(output)}")
        assert outcome.held_out["word_perplexity"] < 60
        assert outcome.held_out["first_words_perplexity"] < 80


def test_the_last_checkpoint_holds_what_an_export_needs(whole: Outcome, folder: Path) -> None:
    """The last checkpoint has weights, recipe, tokenizer and held-out perplexities."""
    held_out = [r for r in metrics_log.read(folder / "whole") if r["kind"] == "held_out"]
    assert [record["step"] for record in held_out] == [50, 100, 150]
    assert whole.reason == "finished"
    assert whole.held_out["word_perplexity"] == held_out[-1]["word_perplexity"]
    saved = checkpoints.load(whole.checkpoint)
    assert saved.step == 150
    assert saved.recipe["name"] == "small"
    assert saved.about["held_out"] == whole.held_out
    assert saved.weights["embedding"].shape[1] == 32
    assert len(json.loads(saved.tokenizer)["model"]["vocab"]) == len(saved.weights["embedding"])


def test_a_run_leaves_its_figures(whole: Outcome, folder: Path) -> None:
    """The run's folder has recipe, tokenizer, JSON lines, TensorBoard events and a plot."""
    run = folder / "whole"
    assert (run / "recipe.toml").read_text() == (folder / "recipe.toml").read_text()
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((run / "events").glob("events.out.tfevents.*"))
    trained = [r for r in metrics_log.read(run) if r["kind"] == "train"]
    assert [record["step"] for record in trained] == [50, 100, 150]
    assert all(record["tokens_per_second"] > 0 for record in trained)


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_ends_with_the_same_weights(
    whole: Outcome, recipe: Path, folder: Path, kind: signal.Signals
) -> None:
    """A run that is killed and restarted ends with bit-identical weights and metrics."""
    run = folder / kind.name
    process = start_elsewhere(recipe, run)
    deadline = time.monotonic() + 300
    while checkpoints.latest(run / "checkpoints") is None:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(kind)
    said, _ = process.communicate(timeout=300)
    stopped = checkpoints.latest(run / "checkpoints")
    assert stopped is not None
    assert 0 < checkpoints.load(stopped).step < 150
    assert len(checkpoints.checkpoints(run / "checkpoints")) <= checkpoints.KEPT
    if kind != signal.SIGKILL:
        assert process.returncode == 0
        assert "interrupted after step" in said
    outcome = train_here(recipe, run)
    assert outcome.reason == "finished"
    assert _same_weights(outcome.checkpoint, whole.checkpoint)
    assert outcome.held_out == whole.held_out
    assert _without_speed(run) == _without_speed(folder / "whole")


def _without_speed(run: Path) -> list[dict[str, float]]:
    return [
        {name: value for name, value in record.items() if name != "tokens_per_second"}
        for record in metrics_log.read(run)
    ]


def test_time_stops_and_saves(recipe: Path, folder: Path) -> None:
    """A run that reaches its time limit saves its last step; the next one resumes there."""
    run = folder / "timed"
    first = train_here(recipe, run, max_minutes=0.0)
    assert (first.reason, first.step) == ("out of time", 0)
    second = train_here(recipe, run, max_minutes=0.003)
    assert second.reason == "out of time"
    assert 0 < second.step < 150


def test_a_fresh_start_forgets_the_old_run(recipe: Path, folder: Path) -> None:
    """`fresh` deletes checkpoints and metrics of the previous run."""
    run = folder / "fresh"
    train_here(recipe, run, max_minutes=0.01)
    outcome = train_here(recipe, run, max_minutes=0.0, fresh=True)
    assert outcome.step == 0
    assert metrics_log.read(run) == []
    assert [p.name for p in checkpoints.checkpoints(run / "checkpoints")] == [
        outcome.checkpoint.name
    ]


def test_more_steps_go_on_a_changed_past_does_not(tmp_path: Path) -> None:
    """Steps may be added if past learning rates do not change; other changes are errors."""
    run = tmp_path / "run"
    short = (("steps = 150", "steps = 40"), ("decay_steps = 50", "decay_steps = 0"))
    train_here(write_recipe(tmp_path, *short), run)
    longer = (("steps = 150", "steps = 45"), ("decay_steps = 50", "decay_steps = 5"))
    assert train_here(write_recipe(tmp_path, *longer), run).step == 45
    for old, new, named in (
        ("width = 32", "width = 64", r"network.width \(was 32, is 64\)"),
        ("learning_rate = 1e-2", "learning_rate = 2e-2", "learning rate of completed steps"),
        ("steps = 150", "steps = 30", "training.steps"),
        ('"sentences.txt"', '"sentences.txt", weight = 2', r"text.files\[0\].weight"),
    ):
        changes = [(old, new), *(change for change in longer if old != "steps = 150")]
        changes += [("decay_steps = 50", "decay_steps = 5")] if old == "steps = 150" else []
        with pytest.raises(TrainingError, match=named):
            train_here(write_recipe(tmp_path, *changes), run)


def test_changed_text_is_refused(tmp_path: Path) -> None:
    """A run does not resume with changed text under the same file names."""
    recipe = write_recipe(tmp_path)
    recipe.write_text(recipe.read_text().replace(str(_data()), str(tmp_path)))
    text = tmp_path / "sentences.txt"
    text.write_bytes((_data() / "sentences.txt").read_bytes())
    train_here(recipe, tmp_path / "run", max_minutes=0.0)
    text.write_bytes(text.read_bytes() + b"One more sentence.\n")
    with pytest.raises(TrainingError, match="text has changed"):
        train_here(recipe, tmp_path / "run")


def _data() -> Path:
    return Path(__file__).parents[1] / "data"


def test_a_loss_that_is_not_finite_stops(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss that is not finite stops the run before weights or checkpoints are corrupted."""
    real = Network.loss
    calls = 0

    def break_soon(self: Network, *arguments: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return real(self, *arguments) * (math.nan if calls > 10 else 1.0)

    monkeypatch.setattr(Network, "loss", break_soon)
    with pytest.raises(TrainingError, match=r"not finite at step 11.*learning_rate"):
        train_here(recipe, tmp_path / "run")


def test_two_processes_do_not_share_a_run(recipe: Path, folder: Path, tmp_path: Path) -> None:
    """A second process in the same run folder is rejected."""
    run = tmp_path / "run"
    process = start_elsewhere(recipe, run)
    while not (run / "metrics.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.001)
    with pytest.raises(TrainingError, match="another process"):
        train_here(recipe, run)
    process.kill()
    process.communicate()


def _publish(outcome: Outcome, version: Path) -> Path:
    """Write the files of a published version that training reads."""
    saved = checkpoints.load(outcome.checkpoint)
    version.mkdir(parents=True)
    (version / "tokenizer.json").write_text(saved.tokenizer, encoding="utf-8")
    weights = {name: value.to(torch.bfloat16) for name, value in saved.weights.items()}
    save_file(weights, version / "weights.safetensors")
    size, width = weights["embedding"].shape
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        name="small",
        version=1,
        precision="int8",
        language="en",
        created="2026-11-01",
        network=NetworkSizes(vocabulary=size, layers=2, width=width, cutoffs=(400, size)),
        files={},
        training={},
        figures={},
        text=(),
        smoke=(SmokeCase(history="", text="", log_prob=-1.0),),
    )
    (version / "bundle.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return version


def test_a_published_version_is_continued(whole: Outcome, tmp_path: Path) -> None:
    """Training from published weights starts with their perplexity and tokenizer."""
    version = _publish(whole, tmp_path / "models/small/1")
    size = len(json.loads((version / "tokenizer.json").read_text())["model"]["vocab"])
    recipe = write_recipe(
        tmp_path,
        ('name = "small"', f'name = "small"\ninit_from = "{version}"'),
        ("learning_rate = 1e-2", "learning_rate = 1e-9"),
        ("minimum_learning_rate = 1e-4", "minimum_learning_rate = 1e-9"),
        ("= 700", f"= {size}"),
        ("400, 700", f"400, {size}"),
        ("steps = 150", "steps = 60"),
        ("decay_steps = 50", "decay_steps = 0"),
    )
    outcome = train_here(recipe, tmp_path / "run")
    expected = whole.held_out["word_perplexity"]
    assert outcome.held_out["word_perplexity"] == pytest.approx(expected, rel=0.02)


def test_a_version_that_does_not_fit_is_refused(whole: Outcome, tmp_path: Path) -> None:
    """A version without weights or with other sizes is rejected with the reason."""
    version = _publish(whole, tmp_path / "models/small/1")
    begin = ('name = "small"', f'name = "small"\ninit_from = "{version}"')
    with pytest.raises(InvalidRecipe, match=r"tokenizer.vocabulary: 900"):
        train_here(
            write_recipe(tmp_path, begin, ("= 700", "= 900"), ("400, 700", "400, 900")),
            tmp_path / "run",
        )
    size = len(json.loads((version / "tokenizer.json").read_text())["model"]["vocab"])
    begin_there = (begin, ("= 700", f"= {size}"))
    with pytest.raises(InvalidRecipe, match=rf"network.cutoffs: \[300, {size}\], but .* \[400"):
        train_here(
            write_recipe(tmp_path, *begin_there, ("400, 700", f"300, {size}")), tmp_path / "run"
        )
    with pytest.raises(InvalidRecipe, match=r"network: .* in init_from"):
        train_here(write_recipe(tmp_path, begin, ("width = 32", "width = 48")), tmp_path / "run")
    (version / "weights.safetensors").unlink()
    with pytest.raises(InvalidRecipe, match=r"has no weights\.safetensors"):
        train_here(write_recipe(tmp_path, begin), tmp_path / "run")


def test_invalid_checkpoints_are_rejected(tmp_path: Path) -> None:
    """Foreign, truncated and missing files are rejected."""
    path = tmp_path / "step-00000001.safetensors"
    with pytest.raises(InvalidFile, match="does not exist"):
        checkpoints.load(path)
    path.write_bytes(b"not tensors")
    with pytest.raises(InvalidFile, match="is not a checkpoint"):
        checkpoints.load(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(InvalidFile, match="is not a checkpoint"):
        checkpoints.load(path)


def test_nested_documents_survive_a_checkpoint() -> None:
    """Nested tensors and integer keys survive a round trip."""
    document = {"groups": [{"lr": 0.1, "params": [0, 1]}], "state": {0: {"m": torch.ones(2)}}}
    plain, tensors = checkpoints.flatten(document, "optimiser")
    found = checkpoints.restore(json.loads(json.dumps(plain)), tensors)
    assert found["groups"] == document["groups"]
    assert torch.equal(found["state"][0]["m"], torch.ones(2))


def test_a_fresh_run_begins_at_the_tokens_frequencies(recipe: Path, folder: Path) -> None:
    """Before the first step the network predicts unigram frequencies."""
    outcome = train_here(recipe, folder / "begun", max_minutes=0.0)
    weights = checkpoints.load(outcome.checkpoint).weights
    bias = weights["output_bias"]
    assert float(bias[:20].mean()) > float(bias[40:60].mean()) > float(bias[350:400].mean())
    in_head = float(bias[:400].double().exp().sum())
    in_clusters = float(weights["cluster_bias"].double().exp().sum())
    assert in_head + in_clusters == pytest.approx(1)
    assert 0 < in_clusters < in_head
