"""Jobs with known requests, and a scheduler that records its batches."""

from typing import Any

from tests.fake_model import FakeModel

from wordgate.engine.batch import Batch
from wordgate.engine.job import Job
from wordgate.engine.scheduler import Scheduler
from wordgate.engine.scheduler_policy import SchedulerPolicy
from wordgate.lm.adaptive_softmax import AdaptiveSoftmaxLayout
from wordgate.lm.requests import (
    ModelRequest,
    ModelTask,
    Step,
    TokenLogProbs,
)

LEVELS = AdaptiveSoftmaxLayout((4, 9))


class Counting(FakeModel):
    """A fake model, with the sizes of the requests in each of its batches (see `Recording`)."""

    def __init__(self) -> None:
        super().__init__(LEVELS, FakeModel.random(LEVELS, 0).probabilities)
        self.sizes: list[list[int]] = []


class Failing(FakeModel):
    """A model that always fails."""

    def __init__(self) -> None:
        super().__init__(LEVELS, FakeModel.random(LEVELS, 0).probabilities)

    def answer(self, request: ModelRequest) -> list[Any]:
        """Raise an error."""
        raise RuntimeError("out of memory")


class Recording(Scheduler):
    """A scheduler that records each batch in the `sizes` of its models."""

    def schedule(self) -> Batch:
        """Schedule and record a batch. Models without rows are left out."""
        batch = super().schedule()
        for model in {id(job.model): job.model for job in batch.jobs}.values():
            sizes = [len(job.part) for job in batch.jobs if job.model is model]
            if isinstance(model, Counting) and any(sizes):
                model.sizes.append(sizes)
        return batch


def recording(max_rows: int = 64, max_queued_rows: int = 20_000, **options: Any) -> Scheduler:
    """Return a recording scheduler with this batch size and queue limit."""
    return Recording(SchedulerPolicy(max_rows=max_rows, max_queued_rows=max_queued_rows), **options)


class Outcome:
    """Result or error of a job; `calls` counts calls of its callback."""

    def __init__(self) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.calls = 0

    def __call__(self, result: Any, error: BaseException | None) -> None:
        """Record the result or error."""
        self.result, self.error = result, error
        self.calls += 1


def read(*tokens: int) -> ModelTask[list[float]]:
    """Return log-probabilities of tokens, with one request after another."""
    found, state = [], -1
    for token in tokens:
        [value] = yield TokenLogProbs([(state, token)])
        found.append(value)
        [state] = yield Step([(state, token)])
    return found


def wide(rows: int, token: int = 1) -> ModelTask[list[float]]:
    """Yield one request with many rows."""
    answer: list[float] = yield TokenLogProbs([(row % 9, token) for row in range(rows)])
    return answer


def deep(rows: int, questions: int) -> ModelTask[None]:
    """Yield several requests with `rows` rows each."""
    for _ in range(questions):
        yield Step([(row % 9, 1) for row in range(rows)])


def submit(
    scheduler: Scheduler, model: FakeModel, asks: ModelTask[Any], **options: Any
) -> tuple[Job, Outcome]:
    """Submit a task as a job, and queue it; return the job and its outcome."""
    outcome = Outcome()
    job = Job(model, asks, outcome, **options)
    scheduler.submit(job)
    scheduler.receive()
    return job, outcome


def finish_all(scheduler: Scheduler) -> int:
    """Run until no job is left; return the number of rounds."""
    rounds = 1
    while scheduler.step():
        rounds += 1
    return rounds
