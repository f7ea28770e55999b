"""The training loop: run updates until the last step, a deadline or a signal.

Between updates it evaluates on held-out text, saves checkpoints and reports progress.
"""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from wordgate.evaluation.perplexity import perplexity_of
from wordgate.training import checkpoint as checkpoints
from wordgate.training.metrics_log import Journal
from wordgate.training.progress import Progress
from wordgate.training.trainer import LossMeter, Trainer

RECORD_EVERY = 50
"""Interval between records of the training loss, in steps."""

Reason = Literal["finished", "out of time", "interrupted"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: reason, last step, checkpoint and held-out perplexities."""

    reason: Reason
    step: int
    checkpoint: Path
    held_out: dict[str, float]


class Loop:
    """Runs the training loop from the trainer's current step."""

    def __init__(
        self, trainer: Trainer, folder: Path, progress: Progress, held_out: dict[str, float]
    ) -> None:
        self._trainer = trainer
        self._folder = folder / "checkpoints"
        self._plan = trainer.recipe.training
        self._progress = progress
        self._journal = Journal(folder, trainer.step)
        self._held_out = held_out
        self._clock = time.monotonic()
        self._carried_pieces = trainer.window.pieces

    def run(self, max_minutes: float | None = None) -> Outcome:
        """Train until the recipe's last step, the time limit, or SIGINT/SIGTERM.

        A checkpoint is always written after the last update. Raises `TrainingError` if the loss is
        not finite.
        """
        end = time.monotonic() + 60 * max_minutes if max_minutes is not None else math.inf
        save_seconds = 60 * self._plan.checkpoint_minutes
        saved = time.monotonic()
        try:
            with _signals() as stop:
                while self._trainer.step < self._plan.steps:
                    if stop.is_set():
                        return self._finish("interrupted")
                    if time.monotonic() >= end:
                        return self._finish("out of time")
                    self._one_step()
                    if time.monotonic() - saved >= save_seconds:
                        self._save()
                        saved = time.monotonic()
            return self._finish("finished")
        finally:
            self._journal.close()

    def _one_step(self) -> None:
        trainer = self._trainer
        trainer.update()
        self._progress.stepped(trainer.step)
        if trainer.step % RECORD_EVERY == 0:
            self._record()
        is_last = trainer.step == self._plan.steps
        if trainer.can_measure and (is_last or trainer.step % self._plan.evaluate_every == 0):
            self._measure()

    def _record(self) -> None:
        trainer, window = self._trainer, self._trainer.window
        seconds = max(time.monotonic() - self._clock, 1e-9)
        pieces = window.pieces - self._carried_pieces
        figures = {
            "perplexity": perplexity_of(window.surprise, window.pieces),
            "learning_rate": trainer.optimiser.schedule.at(trainer.step - 1),
            "tokens_per_second": pieces / seconds,
        }
        self._journal.write(trainer.step, "train", **figures)
        self._progress.show(trainer.step, figures, self._held_out)
        trainer.window = LossMeter()
        self._clock, self._carried_pieces = time.monotonic(), 0

    def _measure(self) -> None:
        started = time.monotonic()
        self._held_out = asdict(self._trainer.measure())
        self._journal.write(self._trainer.step, "held_out", **self._held_out)
        self._progress.measured(self._trainer.step, self._held_out)
        self._clock += time.monotonic() - started

    def _save(self) -> Path:
        started = time.monotonic()
        self._journal.flush()
        path = checkpoints.save(self._folder, self._trainer.save({"held_out": self._held_out}))
        self._journal.draw()
        self._clock += time.monotonic() - started
        return path

    def _finish(self, reason: Reason) -> Outcome:
        return Outcome(reason, self._trainer.step, self._save(), self._held_out)


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """Yield an event that SIGINT or SIGTERM sets. A second signal has its default effect."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before: dict[signal.Signals, Any] = {kind: signal.getsignal(kind) for kind in kinds}

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for kind in kinds:
        signal.signal(kind, ask_to_stop)
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
