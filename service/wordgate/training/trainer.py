"""The state of a training run in memory: network, optimiser, sampler and carried state.

Makes updates, and converts the state to and from checkpoints.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
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
from wordgate.training.model.activation_penalty import activation_penalty, temporal_penalty
from wordgate.training.model.dropout import DropoutRates, locked_dropout
from wordgate.training.model.network import Network, NetworkConfig, State
from wordgate.training.model.optimizer import Optimiser, Schedule
from wordgate.training.model.weight_average import WeightAverage
from wordgate.training.recipe import Recipe, Training

_PRODUCTS = {"bfloat16": torch.bfloat16, "float32": torch.float32}
_TRAINED = "trained/"
"""Prefix of the weights in training, in checkpoints whose weights are an average."""


@dataclass
class LossMeter:
    """Loss since the last record: sum over tokens, and number of tokens."""

    surprise: float = 0.0
    pieces: int = 0


class Trainer:
    """Makes updates one by one; can be saved and restored between any two."""

    def __init__(self, recipe: Recipe, text: TokenisedText) -> None:
        plan = recipe.training
        self.recipe = recipe
        self.step = 0
        self.window = LossMeter()
        self._pieces = text.pieces
        self.text = text
        self._text_key = text.key
        self._document = text.pieces.to_json()
        self.network = Network(
            sizes_of(recipe, text.pieces),
            _PRODUCTS[plan.precision],
            torch.Generator().manual_seed(plan.seed),
        ).to(plan.device)
        self.optimiser = Optimiser(
            self.network.parameters(),
            schedule_of(plan),
            plan.weight_decay,
            plan.clip_norm,
            kind=plan.optimiser,
        )
        self._average = WeightAverage(self.network, recipe.regularisation.averaging_patience)
        self._rates = dropout_rates_of(recipe)
        self._dropout = torch.Generator().manual_seed(plan.seed)
        self._sampler = sampler_of(recipe, text)
        self._state = self.network.start(plan.batch)
        self._held_out = held_out_of(recipe, text)
        if recipe.regularisation.averaging_patience and not self._held_out:
            raise TrainingError(
                "regularisation.averaging_patience needs held-out passages and there are none; "
                "raise text.held_out_share (for whole words, set text.held_out_file) or remove "
                "averaging_patience"
            )

    def begin_at_frequencies(self) -> None:
        """Initialise the output biases of a new network with the tokens' unigram frequencies."""
        counts = np.ones(self._pieces.size)
        for file, source in zip(self.text.train, self.recipe.text.files, strict=True):
            counts += source.weight * file.counts(self._pieces.size)
            counts[self._pieces.eos] += source.weight * len(file)
        self.network.expect(torch.from_numpy(counts))

    @property
    def tokenizer(self) -> str:
        """Content of the tokenizer.json."""
        return self._document

    def update(self) -> None:
        """Train on one segment. Raises `TrainingError` if the loss is not finite."""
        segment = self._sampler.next_segment()
        device = self.recipe.training.device
        read = torch.from_numpy(segment.read).to(device)
        targets = torch.from_numpy(segment.targets).to(device)
        state = self._state.restart(torch.from_numpy(segment.restarted).to(device))
        self.network.train()
        top, self._state = self.network(read, state, self._rates, self._dropout)
        dropped = locked_dropout(top, self._rates.output, self._dropout)
        surprise = self.network.loss(dropped, targets)
        loss = float(surprise.detach())
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is not finite at step {self.step + 1}; lower training.learning_rate or "
                "training.clip_norm, or raise training.warmup_steps, and start over with --fresh"
            )
        self._penalised(surprise / targets.numel(), top, dropped).backward()
        self.optimiser.step(len(targets) / self.recipe.training.length)
        self._average.update()
        self.step += 1
        self.window.surprise += loss
        self.window.pieces += targets.numel()

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

        Every `training.evaluate_every` steps they may trigger the averaging.
        """
        network, ends, eos = self._average.network, self._pieces.ends_word, self._pieces.eos
        if self.recipe.training.order == "sequential":
            found = held_out.measure_in_order(network, self._held_out[0], ends, eos)
        else:
            found = held_out.measure(network, self._held_out, ends, eos)
        if self.step % self.recipe.training.evaluate_every == 0:
            self._average.observe(found.word_perplexity)
        return found

    @property
    def can_measure(self) -> bool:
        """Whether there is held-out text."""
        return bool(self._held_out)

    def save(self, about: dict[str, Any]) -> Checkpoint:
        """Return the current state as a checkpoint. `about` adds entries to its metadata."""
        numbers, tensors = checkpoints.flatten(self.optimiser.state_dict(), "optimiser")
        tensors |= {
            "carried/hidden": self._state.hidden,
            "carried/cells": self._state.cells,
            "random/dropout": self._dropout.get_state(),
        }
        if self._average.network is not self.network:
            tensors |= {f"{_TRAINED}{name}": value for name, value in _weights(self.network)}
        about = about | {
            "text": self._text_key,
            "sampler": self._sampler.state(),
            "optimiser": numbers,
            "window": [self.window.surprise, self.window.pieces],
            "torch": torch.__version__,
        }
        if self.recipe.regularisation.averaging_patience:
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
        if self.recipe.regularisation.averaging_patience:
            self._average.restore(saved.about["average"], saved.weights)
        device = self.recipe.training.device
        self.optimiser.load_state_dict(checkpoints.restore(saved.about["optimiser"], saved.tensors))
        self._state = State(
            saved.tensors["carried/hidden"].to(device), saved.tensors["carried/cells"].to(device)
        )
        self._dropout.set_state(saved.tensors["random/dropout"])
        self._sampler.restore(saved.about["sampler"])
        self.window = LossMeter(*saved.about["window"])
        self.step = saved.step


def sizes_of(recipe: Recipe, pieces: Vocabulary) -> NetworkConfig:
    """Return the network's sizes and cell, dropping cutoffs beyond the tokenizer's vocabulary.

    A small text yields fewer tokens than the recipe's `tokenizer.vocabulary`.
    """
    network = recipe.network
    cutoffs = [end for end in network.cutoffs if end < pieces.size]
    return NetworkConfig(
        pieces.size,
        network.layers,
        network.width,
        (*cutoffs, pieces.size),
        network.cell,
        network.hidden_width,
    )


def sampler_of(recipe: Recipe, text: TokenisedText) -> Sampler | SequentialSampler:
    """Return the sampler of the training text in the recipe's order."""
    plan, length = recipe.training, length_of(recipe)
    if plan.order == "sequential":
        return SequentialSampler(text.train, plan.batch, length, plan.seed, text.pieces.eos)
    weights = [file.weight for file in recipe.text.files]
    return Sampler(text.train, weights, plan.batch, length, plan.restart_share, plan.seed)


def held_out_of(recipe: Recipe, text: TokenisedText) -> list[NDArray[np.int64]]:
    """Return the held-out passages, or for text in order its beginning as one; empty if none."""
    limit = recipe.training.evaluation_pieces
    if recipe.training.order == "sequential":
        streams = [running_text([file], text.pieces.eos) for file in text.held_out if len(file)]
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
