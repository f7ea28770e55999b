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
from wordgate.training.hardware.distributed import ONE_PROCESS, Ranks
from wordgate.training.loss_meter import LossMeter
from wordgate.training.metrics_log import Journal
from wordgate.training.progress import Progress
from wordgate.training.trainer import Trainer

RECORD_EVERY = 50
"""Interval between records of the training loss, in steps."""

AGREE_EVERY_ON_GPU = 10
"""Interval between the ranks' exchanges of signals and time limits on CUDA devices, in steps."""

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
        self,
        trainer: Trainer,
        folder: Path,
        progress: Progress,
        held_out: dict[str, float],
        ranks: Ranks = ONE_PROCESS,
    ) -> None:
        """`ranks`: the processes that run this loop; only the first one writes to `folder`."""
        self._trainer = trainer
        self._folder = folder / "checkpoints"
        self._plan = trainer.recipe.training
        self._progress = progress
        self._ranks = ranks
        self._journal = Journal(folder, trainer.step) if ranks.is_first else None
        self._held_out = held_out
        self._clock = time.monotonic()
        self._carried_tokens = trainer.loss_meter.tokens

    def run(self, max_minutes: float | None = None) -> Outcome:
        """Train until the recipe's last step, the time limit, or SIGINT/SIGTERM.

        A checkpoint is always written after the last update. A signal to one rank, or the time
        limit on it, stops all ranks after the same step. Raises `TrainingError` if the loss is not
        finite or another rank has ended.
        """
        end = time.monotonic() + 60 * max_minutes if max_minutes is not None else math.inf
        save_seconds = 60 * self._plan.checkpoint_minutes
        saved = time.monotonic()
        try:
            with _signals() as stop:
                while self._trainer.step < self._plan.steps:
                    now = time.monotonic()
                    is_interrupted, is_late, must_save = self._agree(
                        stop.is_set(), now >= end, now - saved >= save_seconds
                    )
                    if is_interrupted:
                        return self._finish("interrupted")
                    if is_late:
                        return self._finish("out of time")
                    if must_save:
                        self._save()
                        saved = time.monotonic()
                    self._one_step()
            return self._finish("finished")
        finally:
            if self._journal:
                self._journal.close()

    def _agree(self, *flags: bool) -> list[bool]:
        """Return for each flag whether it is set on any rank; false between two exchanges.

        Ranks on the CPU exchange before each step, on CUDA devices less often: the host runs ahead
        of the device, and waiting for the other hosts would cost that lead.
        """
        is_on_gpu = self._trainer.device.type == "cuda" and self._ranks.size > 1
        if is_on_gpu and self._trainer.step % AGREE_EVERY_ON_GPU:
            return [False] * len(flags)
        return self._ranks.any_of(*flags)

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
        trainer, meter = self._trainer, self._trainer.loss_meter
        trainer.settle()
        seconds = max(time.monotonic() - self._clock, 1e-9)
        tokens = meter.tokens - self._carried_tokens
        figures = {
            "perplexity": perplexity_of(meter.surprisal, meter.tokens),
            "learning_rate": trainer.optimiser.schedule.at(trainer.step - 1),
            "tokens_per_second": tokens / seconds,
        }
        self._write("train", figures)
        self._progress.show(trainer.step, figures, self._held_out)
        trainer.loss_meter = LossMeter()
        self._clock, self._carried_tokens = time.monotonic(), 0

    def _measure(self) -> None:
        started = time.monotonic()
        self._held_out = asdict(self._trainer.measure())
        self._write("held_out", self._held_out)
        self._progress.measured(self._trainer.step, self._held_out)
        self._clock += time.monotonic() - started

    def _write(self, kind: str, figures: dict[str, float]) -> None:
        if self._journal:
            self._journal.write(self._trainer.step, kind, **figures)

    def _save(self) -> Path:
        started = time.monotonic()
        saved = self._trainer.save({"held_out": self._held_out})
        if self._journal:
            self._journal.flush()
            checkpoints.save(self._folder, saved)
            self._journal.draw()
        self._clock += time.monotonic() - started
        return checkpoints.path_of(self._folder, saved.step)

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
