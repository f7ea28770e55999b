"""Training in several processes: Gloo on the CPU."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.ranks import run_ranks
from tests.training.small_run import tokenised, train_here, write_recipe

from wordgate.errors import TrainingError
from wordgate.training import checkpoint as checkpoints
from wordgate.training import metrics_log
from wordgate.training.checkpoint import Checkpoint
from wordgate.training.hardware.distributed import Ranks
from wordgate.training.hardware.torchrun import Place, find_place
from wordgate.training.loss_meter import LossMeter
from wordgate.training.trainer import Trainer

WITHOUT_DROPOUT = (
    ("dropout = 0.1", "dropout = 0.0"),
    ("[training]", '[training]\nprecision = "float32"\nrestart_share = 0.3\nthreads = 1'),
    (
        "[training]",
        "[regularisation]\nactivation = 2.0\ntemporal_activation = 1.0\n"
        "length_deviation = 3.0\nhalf_length_share = 0.1\n[training]",
    ),
)
"""Options that several processes must treat as one does; dropout masks differ by rank."""

AVERAGING = (
    ("[training]", "[regularisation]\naveraging_patience = 1\n[training]\nthreads = 1"),
    ("learning_rate = 1e-2", "learning_rate = 0.5"),
    ("warmup_steps = 20", "warmup_steps = 0"),
    ("evaluate_every = 50", "evaluate_every = 2"),
)
"""So large a learning rate that the perplexity rises and averaging begins, with dropout."""


def _updates(trainer: Trainer, count: int) -> list[float]:
    """Make updates and return their losses."""
    losses = []
    for _ in range(count):
        trainer.loss_meter = LossMeter()
        trainer.update()
        losses.append(trainer.loss_meter.surprisal)
    return losses


def _train_twice(ranks: Ranks, plain: Path, averaging: Path) -> dict[str, Any]:
    """Train with two recipes and return losses, perplexities and checkpoints."""
    trainer = Trainer(*tokenised(plain), ranks)
    losses = _updates(trainer, 10)
    found = {"losses": losses, "held_out": trainer.measure(), "saved": trainer.save({})}
    trainer = Trainer(*tokenised(averaging), ranks)
    trainer.begin_at_frequencies()
    trainer.measure()
    for _ in range(5):
        _updates(trainer, 2)
        trainer.measure()
    return found | {"averaged": trainer.save({}), "trained": dict(trainer.network.state_dict())}


@pytest.fixture(scope="module")
def recipes_of_two(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The recipes without dropout and with averaging; their text is tokenised."""
    folder = tmp_path_factory.mktemp("recipes")
    paths = [
        write_recipe(folder / "plain", *WITHOUT_DROPOUT),
        write_recipe(folder / "averaging", *AVERAGING),
    ]
    for path in paths:
        tokenised(path)
    return paths


@pytest.fixture(scope="module")
def two(recipes_of_two: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What two processes found, by rank."""
    return run_ranks(2, _train_twice, tmp_path_factory.mktemp("two"), *recipes_of_two)


def _assert_near(found: Checkpoint, wanted: Checkpoint, tolerance: float) -> None:
    one, other = found.weights | found.tensors, wanted.weights | wanted.tensors
    for name, part in other.items():
        if not name.startswith("random/"):
            torch.testing.assert_close(one[name], part, rtol=tolerance, atol=tolerance)


def test_two_processes_make_the_updates_of_one(two: list[Any], recipes_of_two: list[Path]) -> None:
    """With restarted texts and segments of different lengths, losses differ by rounding only."""
    trainer = Trainer(*tokenised(recipes_of_two[0]))
    losses = _updates(trainer, 10)
    for found in two:
        assert found["losses"] == pytest.approx(losses, rel=1e-5)
        assert found["held_out"].token_perplexity == pytest.approx(
            trainer.measure().token_perplexity, rel=1e-5
        )
    saved = trainer.save({})
    assert two[0]["saved"].about["sampler"] == saved.about["sampler"]
    assert two[0]["saved"].tensors["carried/hidden"].shape == (2, 8, 32)
    _assert_near(two[0]["saved"], saved, 1e-4)


def test_one_process_resumes_what_two_began(two: list[Any], recipes_of_two: list[Path]) -> None:
    """After ten updates of two processes and ten of one, all is as after twenty of one."""
    recipe, text = tokenised(recipes_of_two[0])
    resumed, whole = Trainer(recipe, text), Trainer(recipe, text)
    resumed.restore(two[0]["saved"])
    assert resumed.step == 10
    losses = _updates(resumed, 10)
    assert losses == pytest.approx(_updates(whole, 20)[10:], rel=1e-4)
    _assert_near(resumed.save({}), whole.save({}), 1e-3)


def test_all_ranks_have_the_same_weights_and_average(two: list[Any]) -> None:
    """With dropout masks of their own, both ranks end with the same bits; averaging has begun."""
    first, second = two
    assert first["averaged"].about["average"] == second["averaged"].about["average"]
    assert first["averaged"].about["average"]["count"] > 0
    for name, part in first["trained"].items():
        assert torch.equal(part, second["trained"][name]), name
    for name, part in first["averaged"].weights.items():
        assert torch.equal(part, second["averaged"].weights[name]), name
    masks = [first["averaged"].tensors[f"random/dropout{rank}"] for rank in ("", "/1")]
    assert not torch.equal(*masks)


def _end_one(ranks: Ranks, recipe: Path) -> str:
    """Train until the second rank ends without a word; return the error of the first."""
    trainer = Trainer(*tokenised(recipe), ranks)
    _updates(trainer, 2)
    if ranks.rank == 1:
        os._exit(1)
    try:
        _updates(trainer, 2)
    except TrainingError as error:
        Path(recipe.parent / "error").write_text(str(error))
        os._exit(1)
    return "no error"


@pytest.mark.long
def test_the_end_of_one_process_ends_the_others(recipes_of_two: list[Path], tmp_path: Path) -> None:
    """A rank whose peer has ended fails with a message instead of waiting."""
    run_ranks(2, _end_one, tmp_path, recipes_of_two[0])
    message = (recipes_of_two[0].parent / "error").read_text()
    assert "another process of this run ended" in message
    assert "see its message, then rerun to resume" in message


@pytest.mark.long
def test_a_signal_stops_all_processes_of_torchrun(tmp_path: Path) -> None:
    """Under torchrun, SIGTERM saves the same step of all ranks; one process can finish the run."""
    eager = ("checkpoint_minutes = 5.0", "checkpoint_minutes = 0.001")
    recipe = write_recipe(tmp_path, ("[training]", "[training]\nthreads = 1"), eager)
    run, said = tmp_path / "run", tmp_path / "said"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = ["--nproc-per-node", "2", "-m", "wordgate.cli.main", "train", str(recipe)]
    with said.open("w") as output:
        process = subprocess.Popen(
            [*launcher, *command, "--run-directory", str(run)],
            env=os.environ | {"WORDGATE_CACHE": str(tmp_path / "cache")},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + 300
    while checkpoints.latest(run / "checkpoints") is None:
        assert process.poll() is None and time.monotonic() < deadline, said.read_text()
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.wait(300)
    text = said.read_text()
    assert text.count("interrupted after step") == 1, text
    assert "to resume: torchrun --nproc-per-node 2 -m wordgate.cli.main train " in text
    assert text.count("2 processes with 4 columns of the batch each") == 1
    assert "another process" not in text
    latest = checkpoints.latest(run / "checkpoints")
    assert latest is not None
    stopped = checkpoints.load(latest)
    assert 0 < stopped.step < 150
    assert set(stopped.tensors) >= {"random/dropout", "random/dropout/1"}
    assert train_here(recipe, run).step == 150
    steps = [record["step"] for record in metrics_log.read(run) if record["kind"] == "train"]
    assert steps == [50, 100, 150]


def test_a_batch_that_cannot_be_divided_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the batch and the number of processes, before they are joined."""
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "3"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=r"training\.batch is 8, not a multiple of 3 processes"):
        train_here(write_recipe(tmp_path), tmp_path / "run")


def test_processes_with_different_checkpoints_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that does not share the run's folder would train something else."""
    monkeypatch.setattr(Ranks, "from_first", lambda self, compute: 99)
    with pytest.raises(TrainingError, match="step 0 here, that of step 99 on the first"):
        train_here(write_recipe(tmp_path), tmp_path / "run")


def test_columns_are_divided_in_order() -> None:
    """Rank 1 of 4 has the second quarter of the columns."""
    assert Ranks(1, 4).columns(40) == slice(10, 20)
    assert Ranks().columns(40) == slice(0, 40)


def test_one_process_exchanges_nothing() -> None:
    """Without torchrun every exchange returns the process's own values."""
    ranks = Ranks()
    assert ranks.any_of(True, False) == [True, False]
    assert ranks.from_first(lambda: 3) == 3
    part = torch.ones(2)
    assert torch.equal(ranks.gather(part)[0], part)
    assert ranks.sum_gradients([], part) is part


def test_the_place_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process is alone unless torchrun's variables are set; of one process likewise."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert find_place() == Place(0, 1, None)
    for name, value in {"RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "8"}.items():
        monkeypatch.setenv(name, value)
    assert find_place() == Place(5, 8, 1)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert find_place().local_rank is None
