"""The state of a training run in memory: network, optimiser, sampler and carried state.

Makes updates, and converts the state to and from checkpoints.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wordgate.errors import TrainingError
from wordgate.training import checkpoint as checkpoints
from wordgate.training import held_out
from wordgate.training.checkpoint import Checkpoint
from wordgate.training.data.sampler import Sampler, SegmentLength
from wordgate.training.data.sequential_sampler import SequentialSampler, running_text
from wordgate.training.data.token_cache import TokenisedText, Vocabulary
from wordgate.training.hardware.devices import find_device
from wordgate.training.hardware.distributed import ONE_PROCESS, Ranks
from wordgate.training.hardware.precision import choose_precision
from wordgate.training.hardware.prefetch import Prefetcher
from wordgate.training.loss_meter import LossMeter
from wordgate.training.model.activation_penalty import activation_penalty, temporal_penalty
from wordgate.training.model.dropout import DropoutRates, locked_dropout
from wordgate.training.model.network import Network, NetworkConfig, State
from wordgate.training.model.optimizer import Optimiser, Schedule
from wordgate.training.model.weight_average import WeightAverage
from wordgate.training.recipe import Recipe, Training

_SEGMENTS_AHEAD = 2
_TRAINED = "trained/"
"""Prefix of the weights in training, in checkpoints whose weights are an average."""


class Trainer:
    """Makes updates one by one; can be saved and restored between any two.

    On a CUDA device an update only enqueues work: segments are prepared ahead, and the loss stays
    on the device until `settle`. `fused` chooses this for any device.
    """

    def __init__(
        self,
        recipe: Recipe,
        text: TokenisedText,
        ranks: Ranks = ONE_PROCESS,
        *,
        fused: bool | None = None,
    ) -> None:
        """`ranks`: the processes that share the training; each reads its columns of the batch."""
        plan = recipe.training
        self.recipe = recipe
        self.step = 0
        self.loss_meter = LossMeter()
        self._tokenizer = text.tokenizer
        self.text = text
        self._text_key = text.key
        self._document = text.tokenizer.to_json()
        self.device = find_device(plan.device, ranks.local_rank)
        self._ranks, self._columns = ranks, ranks.columns(plan.batch)
        self._is_deferred = self.device.type == "cuda" if fused is None else fused
        self.precision = choose_precision(plan.precision, self.device, recipe.network.cell)
        self.network = Network(
            sizes_of(recipe, text.tokenizer),
            self.precision.products,
            torch.Generator().manual_seed(plan.seed),
            fused=fused,
        ).to(self.device)
        self.optimiser = Optimiser(
            self.network.parameters(),
            schedule_of(plan),
            plan.weight_decay,
            plan.clip_norm,
            kind=plan.optimiser,
        )
        self._average = WeightAverage(
            self.network, recipe.regularisation.averaging_patience, plan.average_decay
        )
        self._rates = dropout_rates_of(recipe)
        self._dropout = torch.Generator(self.device).manual_seed(
            plan.seed if ranks.is_first else _seed(plan.seed, ranks.rank)
        )
        ahead = _SEGMENTS_AHEAD if self._is_deferred else 0
        self._segments = Prefetcher(
            sampler_of(recipe, text),
            self.network.sizes.cutoffs,
            self.device,
            self._columns,
            ahead,
        )
        self._state = self.network.start(plan.batch // ranks.size)
        self._held_out = held_out_of(recipe, text)
        if recipe.regularisation.averaging_patience and not self._held_out:
            raise TrainingError(
                "regularisation.averaging_patience needs held-out passages and there are none; "
                "raise text.held_out_share (for whole words, set text.held_out_file) or remove "
                "averaging_patience"
            )

    def begin_at_frequencies(self) -> None:
        """Initialise the output biases of a new network with the tokens' unigram frequencies."""
        counts = np.ones(self._tokenizer.size)
        for file, source in zip(self.text.train, self.recipe.text.files, strict=True):
            counts += source.weight * file.counts(self._tokenizer.size)
            counts[self._tokenizer.eos] += source.weight * len(file)
        self.network.expect(torch.from_numpy(counts))

    @property
    def tokenizer(self) -> str:
        """Content of the tokenizer.json."""
        return self._document

    def update(self) -> None:
        """Train on one segment.

        Raises `TrainingError` if the loss is not finite, before the weights change; on a CUDA
        device, `settle` does so.
        """
        batch = self._segments.next()
        tokens = batch.targets.numel()
        state = self._state.restart(batch.restarted)
        self.network.train()
        top, self._state = self.network(
            batch.read, state, self._rates, self._dropout, batch.distinct
        )
        dropped = locked_dropout(top, self._rates.output, self._dropout)
        surprisal = self.network.loss(dropped, batch.targets, batch.members)
        (self._penalised(surprisal / tokens, top, dropped) / self._ranks.size).backward()
        self.step += 1
        total = self._ranks.sum_gradients(self.optimiser.parameters, surprisal.detach())
        self.loss_meter.add(total, tokens * self._ranks.size)
        if not self._is_deferred:
            self.settle()
        self.optimiser.step(len(batch.targets) / self.recipe.training.length)
        self._average.update()

    def settle(self) -> None:
        """Wait for the updates made so far and include their losses in `loss_meter`.

        Raises `TrainingError` if a loss is not finite.
        """
        if not math.isfinite(self.loss_meter.settle()):
            raise TrainingError(
                f"the loss is not finite at step {self.step}{' or before' * self._is_deferred}; "
                "lower training.learning_rate or training.clip_norm, or raise "
                "training.warmup_steps, and start over with --fresh"
            )

    def _penalised(self, loss: Tensor, top: Tensor, dropped: Tensor) -> Tensor:
        """Return the loss per token with the activation regularisation of the recipe added."""
        plan = self.recipe.regularisation
        if plan.activation:
            loss = loss + activation_penalty(dropped, plan.activation)
        if plan.temporal_activation:
            loss = loss + temporal_penalty(top, plan.temporal_activation)
        return loss

    def measure(self) -> held_out.Perplexities:
        """Return the perplexities of the held-out passages under the averaged or current weights.

        The first rank measures them, the others wait.
        Every `training.evaluate_every` steps they may trigger the averaging.
        """
        found = self._ranks.from_first(self._measure)
        if self.step % self.recipe.training.evaluate_every == 0:
            self._average.observe(found.word_perplexity)
        return found

    def _measure(self) -> held_out.Perplexities:
        network, ends, eos = self._average.network, self._tokenizer.ends_word, self._tokenizer.eos
        if self.recipe.training.order == "sequential":
            return held_out.measure_in_order(network, self._held_out[0], ends, eos)
        return held_out.measure(network, self._held_out, ends, eos)

    @property
    def can_measure(self) -> bool:
        """Whether there is held-out text."""
        return bool(self._held_out)

    def save(self, about: dict[str, Any]) -> Checkpoint:
        """Return the current state as a checkpoint. `about` adds entries to its metadata.

        The carried state is that of all ranks' columns, so that any number of ranks can resume.
        Raises `TrainingError` if a loss since the last record is not finite.
        """
        self.settle()
        numbers, tensors = checkpoints.flatten(self.optimiser.state_dict(), "optimiser")
        tensors |= {
            f"carried/{name}": torch.cat(self._ranks.gather(part), 1)
            for name, part in self._state._asdict().items()
        }
        states = self._ranks.gather(self._dropout.get_state())
        tensors |= {_dropout_key(rank): state for rank, state in enumerate(states)}
        if self._average.network is not self.network:
            tensors |= {f"{_TRAINED}{name}": value for name, value in _weights(self.network)}
        about = about | {
            "text": self._text_key,
            "sampler": self._segments.state(),
            "optimiser": numbers,
            "loss_meter": [self.loss_meter.surprisal, self.loss_meter.tokens],
            "precision": self.precision.name,
            "torch": torch.__version__,
        }
        if self._average.is_wanted:
            about["average"] = self._average.state()
        weights = dict(_weights(self._average.network))
        recipe = self.recipe.model_dump(mode="json")
        return Checkpoint(self.step, recipe, self._document, weights, tensors, about)

    def restore(self, saved: Checkpoint) -> None:
        """Restore a checkpoint of the same recipe and text.

        Raises `TrainingError` if the text has changed.
        """
        if saved.about["text"] != self._text_key:
            raise TrainingError(
                "the text has changed since this run's checkpoint (a file, a weight or an "
                "excluded phrase); start over with --fresh"
            )
        trained = {
            name.removeprefix(_TRAINED): value
            for name, value in saved.tensors.items()
            if name.startswith(_TRAINED)
        }
        self.network.load_weights(trained or saved.weights)
        if self._average.is_wanted:
            self._average.restore(saved.about["average"], saved.weights)
        self.optimiser.load_state_dict(checkpoints.restore(saved.about["optimiser"], saved.tensors))
        self._state = State(
            *(
                saved.tensors[f"carried/{name}"][:, self._columns].to(self.device)
                for name in State._fields
            )
        )
        self._restore_dropout(saved.tensors.get(_dropout_key(self._ranks.rank)), saved.step)
        self._segments.restore(saved.about["sampler"])
        self.loss_meter = LossMeter(*saved.about["loss_meter"])
        self.step = saved.step

    def _restore_dropout(self, state: Tensor | None, step: int) -> None:
        """Restore the dropout generator.

        Without a state for this rank, or with that of another kind of device, use a new seed.
        """
        if state is not None and state.shape == self._dropout.get_state().shape:
            self._dropout.set_state(state)
        else:
            self._dropout.manual_seed(_seed(self.recipe.training.seed, self._ranks.rank, step))


def _dropout_key(rank: int) -> str:
    return f"random/dropout/{rank}" if rank else "random/dropout"


def _seed(*parts: int) -> int:
    """Return a seed that depends on all parts."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint32)[0])


def sizes_of(recipe: Recipe, tokenizer: Vocabulary) -> NetworkConfig:
    """Return the network's sizes and cell, dropping cutoffs beyond the tokenizer's vocabulary.

    A small text yields fewer tokens than the recipe's `tokenizer.vocabulary`.
    """
    network = recipe.network
    cutoffs = [end for end in network.cutoffs if end < tokenizer.size]
    return NetworkConfig(
        tokenizer.size,
        network.layers,
        network.width,
        (*cutoffs, tokenizer.size),
        network.cell,
        network.hidden_width,
    )


def sampler_of(recipe: Recipe, text: TokenisedText) -> Sampler | SequentialSampler:
    """Return the sampler of the training text in the recipe's order."""
    plan, length = recipe.training, length_of(recipe)
    if plan.order == "sequential":
        return SequentialSampler(text.train, plan.batch, length, plan.seed, text.tokenizer.eos)
    weights = [file.weight for file in recipe.text.files]
    return Sampler(text.train, weights, plan.batch, length, plan.restart_share, plan.seed)


def held_out_of(recipe: Recipe, text: TokenisedText) -> list[NDArray[np.int64]]:
    """Return the held-out passages, or for text in order its beginning as one; empty if none."""
    limit = recipe.training.evaluation_tokens
    if recipe.training.order == "sequential":
        streams = [running_text([file], text.tokenizer.eos) for file in text.held_out if len(file)]
        return [np.concatenate(streams)[:limit].astype(np.int64)] if streams else []
    files = recipe.text.files
    weights = [1.0] if recipe.text.held_out_file else [file.weight for file in files]
    return held_out.choose(text.held_out, weights, limit)


def dropout_rates_of(recipe: Recipe) -> DropoutRates:
    """Return the dropout rates of training. `network.dropout` is the default of the first three."""
    plan, common = recipe.regularisation, recipe.network.dropout
    return DropoutRates(
        input=common if plan.input_dropout is None else plan.input_dropout,
        layer=common if plan.layer_dropout is None else plan.layer_dropout,
        output=common if plan.output_dropout is None else plan.output_dropout,
        embedding=plan.embedding_dropout,
        recurrent=plan.weight_drop,
    )


def length_of(recipe: Recipe) -> SegmentLength:
    """Return the distribution of the number of tokens per column and update."""
    plan = recipe.regularisation
    return SegmentLength(recipe.training.length, plan.length_deviation, plan.half_length_share)


def _weights(network: Network) -> Iterator[tuple[str, Tensor]]:
    return ((name, value.detach()) for name, value in network.named_parameters())


def schedule_of(plan: Training) -> Schedule:
    """Return the learning rate schedule."""
    return Schedule(
        plan.learning_rate,
        plan.minimum_learning_rate,
        plan.warmup_steps,
        plan.decay_steps,
        plan.steps,
    )
