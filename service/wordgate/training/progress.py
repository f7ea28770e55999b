"""Progress display of a training run: a bar on a terminal, periodic lines elsewhere."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column

LINE_SECONDS = 30.0
FORECAST_STEPS = 5
"""Number of steps after which the total training time is estimated."""


class Progress:
    """Shows step, speed, perplexity and remaining time."""

    def __init__(self, steps: int, start: int, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._steps = steps
        self._began = time.monotonic()
        self._start = start
        self._last_line = -LINE_SECONDS
        self._bar: Bar | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            wrapped = Column(overflow="fold")  # do not truncate metrics in a narrow terminal
            text = TextColumn("{task.description}", table_column=wrapped)
            columns = (BarColumn(12), MofNCompleteColumn(), text)
            self._bar = Bar(*columns, console=self._console)
            self._task = self._bar.add_task("", total=self._steps, completed=self._start)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def begin(self) -> None:
        """Start the clock. Call when the data is ready, before the first step."""
        self._began = time.monotonic()

    def stepped(self, step: int) -> None:
        """Advance the bar. After a few steps, print the estimated training time once."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step)
        if step - self._start == FORECAST_STEPS and step < self._steps:
            seconds = self._seconds_left(step, time.monotonic())
            self.say(
                f"about {_duration(seconds)} to step {self._steps:,} on this machine; "
                "Ctrl-C saves and stops, the same command resumes"
            )

    def show(self, step: int, figures: Mapping[str, float], held_out: Mapping[str, float]) -> None:
        """Show speed, perplexity per token and remaining time after `step`."""
        now = time.monotonic()
        line = (
            f"{figures['tokens_per_second']:,.0f} tokens/s · perplexity {figures['perplexity']:.1f}"
        )
        if held_out:
            line += f" (held out {held_out['token_perplexity']:.1f})"
        line += f" · {_duration(self._seconds_left(step, now))} left"
        if self._bar is not None:
            self._bar.update(self._task, completed=step, description=line)
        elif now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            self.say(f"step {step}/{self._steps} · {line}")

    def measured(self, step: int, held_out: Mapping[str, float]) -> None:
        """Print the perplexities of held-out text after `step`."""
        self.say(
            f"step {step}: held-out perplexity {held_out['word_perplexity']:.2f} per word, "
            f"{held_out['token_perplexity']:.2f} per token, "
            f"{held_out['first_words_perplexity']:.2f} per word in the first five words of a text"
        )

    def _seconds_left(self, step: int, now: float) -> float:
        done = max(step - self._start, 1)
        return (now - self._began) / done * (self._steps - step)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
