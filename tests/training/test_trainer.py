"""The trainer: its update, and the regularisation of the AWD-LSTM."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from tests.training.small_run import (
    RUNNING_TEXT,
    SENTENCES,
    tokenised,
    train_here,
    write_recipe,
)

from wordgate.errors import InvalidFile, TrainingError
from wordgate.training import checkpoint as checkpoints
from wordgate.training import recipe as recipes
from wordgate.training.data.sampler import Sampler, SegmentLength
from wordgate.training.data.token_cache import TokenisedText
from wordgate.training.loss_meter import LossMeter
from wordgate.training.model.dropout import DropoutRates, locked_dropout
from wordgate.training.model.network import Network
from wordgate.training.model.optimizer import Optimiser
from wordgate.training.recipe import Recipe
from wordgate.training.run import measure
from wordgate.training.trainer import Trainer, dropout_rates_of, schedule_of, sizes_of

ALL = """
[regularisation]
input_dropout = 0.2
embedding_dropout = 0.1
weight_drop = 0.3
activation = 2.0
temporal_activation = 1.0
length_deviation = 3.0
half_length_share = 0.1
averaging_patience = 1
[training]"""


FLOAT = 'precision = "float32"'


def _regularised(folder: Path, steps: int) -> Path:
    """Write a recipe with all options, so large a learning rate that averaging begins soon."""
    return write_recipe(
        folder,
        ("\n[training]", f'{ALL}\nprecision = "bfloat16"'),
        ("steps = 150", f"steps = {steps}"),
        ("warmup_steps = 20", "warmup_steps = 0"),
        ("decay_steps = 50", "decay_steps = 0"),
        ("learning_rate = 1e-2", "learning_rate = 0.5"),
        ("evaluate_every = 50", "evaluate_every = 5"),
    )


def _trained(recipe: Recipe, text: TokenisedText, updates: int) -> Trainer:
    trainer = Trainer(recipe, text)
    for _ in range(updates):
        trainer.update()
    return trainer


@pytest.mark.parametrize("zeros", ["", "[regularisation]\nweight_drop = 0.0\nactivation = 0.0\n"])
def test_without_regularisation_an_update_is_plain(tmp_path: Path, zeros: str) -> None:
    """Updates equal cross-entropy, locked dropout and AdamW written out, bit for bit."""
    recipe, text = tokenised(write_recipe(tmp_path, ("[training]", f"{zeros}[training]\n{FLOAT}")))
    plan = recipe.training
    random = torch.Generator().manual_seed(1)
    network = Network(sizes_of(recipe, text.tokenizer), torch.float32, random)
    optimiser = Optimiser(network.parameters(), schedule_of(plan))
    sampler = Sampler(text.train, [1.0], 8, SegmentLength(12), plan.restart_share, plan.seed)
    random, state = torch.Generator().manual_seed(1), network.start(8)
    for _ in range(20):
        segment = sampler.next_segment()
        read, targets = torch.from_numpy(segment.read), torch.from_numpy(segment.targets)
        state = state.restart(torch.from_numpy(segment.restarted))
        top, state = network(read, state, DropoutRates(0.1, 0.1), random)
        loss = network.loss(locked_dropout(top, 0.1, random), targets)
        (loss / targets.numel()).backward()
        optimiser.step()
    trainer = _trained(recipe, text, 20)
    for name, part in trainer.network.named_parameters():
        assert torch.equal(part, network.get_parameter(name)), name


def test_deferred_updates_have_the_same_losses(tmp_path: Path) -> None:
    """The path for GPUs, run on the CPU, differs by rounding only, and may take turns with ours."""
    recipe, text = tokenised(write_recipe(tmp_path, ("\n[training]", f"{ALL}\n{FLOAT}")))
    plain, fused = Trainer(recipe, text), Trainer(recipe, text, fused=True)
    for _ in range(10):
        losses = []
        for trainer in (plain, fused):
            trainer.loss_meter = LossMeter()
            trainer.update()
            trainer.settle()
            losses.append(trainer.loss_meter.surprisal)
        assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    saved = fused.save({})
    assert saved.about["sampler"] == plain.save({}).about["sampler"]
    plain.restore(saved)
    found, wanted = (trainer.measure().token_perplexity for trainer in (fused, plain))
    assert found == pytest.approx(wanted, rel=1e-5)
    for trainer in (plain, fused):
        trainer.update()
        trainer.settle()
    assert plain.loss_meter.surprisal == pytest.approx(fused.loss_meter.surprisal, rel=1e-5)


def test_a_deferred_loss_that_is_not_finite_is_not_saved(tmp_path: Path) -> None:
    """Where the loss stays on the device, it is checked before a record or a checkpoint."""
    trainer = Trainer(*tokenised(write_recipe(tmp_path)), fused=True)
    with torch.no_grad():
        trainer.network.output_bias[3] = torch.nan
    trainer.update()
    with pytest.raises(TrainingError, match=r"not finite at step 1 or before"):
        trainer.save({})


def test_masks_are_drawn_anew_on_another_kind_of_device(tmp_path: Path) -> None:
    """A generator's state of another device is replaced by a seed that depends on the step."""
    recipe, text = tokenised(write_recipe(tmp_path))
    trainer = _trained(recipe, text, 2)
    saved = trainer.save({})
    saved.tensors["random/dropout"] = torch.zeros(16, dtype=torch.uint8)
    draws = []
    for step in (2, 2, 3):
        trainer.restore(replace(saved, step=step))
        draws.append(trainer.save({}).tensors["random/dropout"])
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize(
    "line",
    [
        "input_dropout = 0.3",
        "layer_dropout = 0.3",
        "output_dropout = 0.3",
        "embedding_dropout = 0.3",
        "weight_drop = 0.3",
        "activation = 2.0",
        "temporal_activation = 1.0",
        "length_deviation = 3.0",
        "half_length_share = 0.5",
    ],
)
def test_each_option_changes_the_update(tmp_path: Path, line: str) -> None:
    """No option is ignored: with each one alone, three updates end with other weights."""
    plain = _trained(*tokenised(write_recipe(tmp_path)), 3)
    changed = write_recipe(tmp_path, ("\n[training]", f"\n[regularisation]\n{line}\n[training]"))
    regularised = _trained(*tokenised(changed), 3)
    first, other = (each.network.get_parameter("layers.0.bias") for each in (plain, regularised))
    assert not torch.equal(first, other)


def test_each_place_may_have_its_own_dropout(tmp_path: Path) -> None:
    """Rates that are not set are `network.dropout`; 0 turns a place off."""
    lines = "\n[regularisation]\nlayer_dropout = 0.2\noutput_dropout = 0\n[training]"
    recipe = recipes.load(write_recipe(tmp_path, ("\n[training]", lines)))
    assert dropout_rates_of(recipe) == DropoutRates(input=0.1, layer=0.2, output=0.0)


def test_the_learning_rate_follows_the_length(tmp_path: Path) -> None:
    """With SGD and no clipping, an update's size is the gradient times rate times length / mean."""
    changes = (
        ("\n[training]", "\n[regularisation]\nhalf_length_share = 0.99999\n[training]"),
        ("steps = 150", 'steps = 150\noptimiser = "sgd"\nclip_norm = 1e9\nweight_decay = 0.0'),
        ("warmup_steps = 20", "warmup_steps = 0"),
        ("decay_steps = 50", "decay_steps = 0"),
        ("dropout = 0.1", "dropout = 0.0"),
    )
    recipe, text = tokenised(write_recipe(tmp_path, *changes))
    trainer = Trainer(recipe, text)
    before = trainer.network.output_bias.detach().clone()
    gradients: list[torch.Tensor] = []
    trainer.network.output_bias.register_hook(gradients.append)
    trainer.update()
    assert trainer.loss_meter.tokens == 8 * 6
    moved = before - trainer.network.output_bias.detach()
    torch.testing.assert_close(moved, gradients[0] * 1e-2 * 6 / 12)


def test_a_regularised_run_resumes_with_the_same_bits(tmp_path: Path) -> None:
    """With all options, a run that stops before or after averaging begins ends the same."""
    whole = train_here(_regularised(tmp_path, 60), tmp_path / "whole")
    wanted = checkpoints.load(whole.checkpoint)
    averaged = wanted.about["average"]["count"]
    assert 5 < averaged < 50
    for steps in (5, 58):
        run = tmp_path / f"stopped-{steps}"
        train_here(_regularised(tmp_path, steps), run)
        outcome = train_here(_regularised(tmp_path, 60), run)
        found = checkpoints.load(outcome.checkpoint)
        assert outcome.held_out == whole.held_out
        assert found.about == wanted.about
        for name, part in (wanted.weights | wanted.tensors).items():
            assert torch.equal(part, (found.weights | found.tensors)[name]), name


def test_a_moving_average_is_evaluated_saved_and_resumed(tmp_path: Path) -> None:
    """The checkpoint has the averaged weights, and a stopped run ends with the same bits."""

    def recipe(steps: int) -> Path:
        averaging = ("[training]", f"[training]\naverage_decay = 0.9\n{FLOAT}")
        schedule = ("decay_steps = 50", "decay_steps = 0")
        return write_recipe(tmp_path, averaging, schedule, ("steps = 150", f"steps = {steps}"))

    whole = train_here(recipe(40), tmp_path / "whole")
    train_here(recipe(25), tmp_path / "stopped")
    outcome = train_here(recipe(40), tmp_path / "stopped")
    wanted, found = (checkpoints.load(each.checkpoint) for each in (whole, outcome))
    assert outcome.held_out == whole.held_out
    assert not torch.equal(wanted.weights["embedding"], wanted.tensors["trained/embedding"])
    for name, part in (wanted.weights | wanted.tensors).items():
        assert torch.equal(part, (found.weights | found.tensors)[name]), name


def test_evaluation_uses_the_average_and_no_regularisation(tmp_path: Path) -> None:
    """Held-out figures are those of a plain network with the weights in the checkpoint."""
    path = _regularised(tmp_path, 60)
    outcome = train_here(path, tmp_path / "run")
    saved = checkpoints.load(outcome.checkpoint)
    assert not torch.equal(saved.weights["embedding"], saved.tensors["trained/embedding"])
    plain = write_recipe(tmp_path, ("evaluate_every = 50", "evaluate_every = 5"))
    trainer = Trainer(*tokenised(plain))
    trainer.network.load_weights(saved.weights)
    assert asdict(trainer.measure()) == outcome.held_out


def test_averaging_needs_held_out_text(tmp_path: Path) -> None:
    """Without held-out passages nothing could trigger averaging: the recipe is rejected."""
    averaging = ("\n[training]", "\n[regularisation]\naveraging_patience = 5\n[training]")
    path = write_recipe(tmp_path, averaging, ("held_out_share = 0.05", "held_out_share = 0.0"))
    with pytest.raises(TrainingError, match=r"averaging_patience needs.*text.held_out_share"):
        train_here(path, tmp_path / "run")


def test_a_changed_regularisation_does_not_resume(tmp_path: Path) -> None:
    """Changed options are rejected by key; with averaging, so is the evaluation schedule."""
    run = tmp_path / "run"
    train_here(_regularised(tmp_path, 5), run)
    for old, new in (
        ("weight_drop = 0.3", "weight_drop = 0.4"),
        ("evaluate_every = 5", "evaluate_every = 6"),
    ):
        path = _regularised(tmp_path, 60)
        path.write_text(path.read_text().replace(old, new))
        with pytest.raises(TrainingError, match=old.split()[0]):
            train_here(path, run)


def test_running_text_is_read_in_order_and_resumes_with_the_same_bits(tmp_path: Path) -> None:
    """A run of whole words in order learns, and ends with the same weights after a stop."""
    path = write_recipe(tmp_path, text=RUNNING_TEXT)
    whole = train_here(path, tmp_path / "whole")
    run = tmp_path / "stopped"
    shorter = write_recipe(tmp_path / "short", ("steps = 60", "steps = 31"), text=RUNNING_TEXT)
    train_here(shorter, run)
    outcome = train_here(path, run)
    assert outcome.held_out == whole.held_out
    assert whole.held_out["token_perplexity"] == whole.held_out["word_perplexity"] < 60
    wanted, found = (checkpoints.load(each.checkpoint) for each in (whole, outcome))
    assert found.about == wanted.about
    for name, part in (wanted.weights | wanted.tensors).items():
        assert torch.equal(part, (found.weights | found.tensors)[name]), name


def test_a_checkpoint_is_measured_on_a_file(tmp_path: Path) -> None:
    """The file is read in one column; text without a break is a little less surprising."""
    path = write_recipe(tmp_path, text=RUNNING_TEXT)
    with pytest.raises(TrainingError, match=r"run has no checkpoint; train"):
        measure(path, tmp_path / "run", SENTENCES)
    outcome = train_here(path, tmp_path / "run")
    checkpoint, found = measure(path, tmp_path / "run", SENTENCES)
    assert checkpoint == outcome.checkpoint
    assert found.tokens == sum(len(line.split()) + 1 for line in SENTENCES.open())
    assert found.token_perplexity == pytest.approx(outcome.held_out["token_perplexity"], rel=0.05)
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(InvalidFile, match="is empty"):
        measure(path, tmp_path / "run", tmp_path / "empty.txt")


def test_only_whole_words_are_measured_on_a_file(tmp_path: Path) -> None:
    """Other checkpoints are exported first."""
    path = write_recipe(tmp_path, ("= 150", "= 1"), ("= 20", "= 0"), ("= 50\nlearn", "= 0\nlearn"))
    train_here(path, tmp_path / "run")
    with pytest.raises(TrainingError, match="export it and use wordgate evaluate --text"):
        measure(path, tmp_path / "run", SENTENCES)
