"""Progress on standard error: an initial line, then a bar or a line every 30 s."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from wordgate.decoding.prediction import Query
from wordgate.decoding.prediction_result import PredictionResult
from wordgate.engine.results import LanguageModel, ScoreResult

LINE_SECONDS = 30.0
_BAR_SECONDS = 0.1


def say(line: str) -> None:
    """Print a line on standard error."""
    Console(stderr=True, highlight=False).print(line, markup=False, soft_wrap=True)


class Counted:
    """Wraps a model and counts its answers."""

    def __init__(self, asked: LanguageModel, console: Console) -> None:
        self._asked = asked
        self._console = console
        self._answers = 0
        self._began = self._last_line = monotonic()
        self._bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
        )
        self._task = self._bar.add_task("")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._asked, name)

    def submit_predict(self, query: Query) -> "Future[PredictionResult]":
        """Call the model's method and count the answer."""
        return self._counted(self._asked.submit_predict(query))

    def submit_score(
        self, history: str, candidates: Sequence[str], *arguments: Any, **named: Any
    ) -> "Future[ScoreResult]":
        """Call the model's method and count the candidates."""
        answer = self._asked.submit_score(history, candidates, *arguments, **named)
        return self._counted(answer, len(candidates))

    def submit_rescore(self, *arguments: Any, **named: Any) -> "Future[Any]":
        """Call the model's method and count the answer."""
        return self._counted(self._asked.submit_rescore(*arguments, **named))

    def _counted(self, future: "Future[Any]", answers: int = 1) -> "Future[Any]":
        future.add_done_callback(lambda _: self._count(answers))
        return future

    def _count(self, answers: int) -> None:
        self._answers += answers
        now = monotonic()
        pause = _BAR_SECONDS if self._console.is_terminal else LINE_SECONDS
        if now - self._last_line < pause:
            return
        self._last_line = now
        speed = self._answers / max(now - self._began, 1e-3)
        line = f"{self._answers:,} answers, {speed:,.0f} per second"
        if self._console.is_terminal:
            self._bar.update(self._task, description=line)
        else:
            self._console.print(line)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar if the console is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with self._bar:
            yield


@contextmanager
def counted(model: LanguageModel) -> Iterator[Any]:
    """Show the number of answers: a bar on a terminal, otherwise a line every 30 s."""
    wrapper = Counted(model, Console(stderr=True, highlight=False))
    with wrapper.shown():
        yield wrapper
