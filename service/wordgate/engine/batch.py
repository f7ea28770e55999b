"""One batch of the scheduler: parts of model requests, grouped by model and kind."""

from itertools import chain
from time import sleep
from typing import Any

from wordgate.engine.job import Job, as_exception
from wordgate.lm.requests import ModelRequest


class Batch:
    """Parts of requests to run together.

    The part of a job that yields without a request has no rows. `run` may be called by any thread,
    concurrently with other batches; it does not use the scheduler.
    """

    __slots__ = ("_groups", "jobs")

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._groups: dict[tuple[int, type[ModelRequest]], list[Job]] = {}

    def add(self, job: Job, part: ModelRequest) -> None:
        """Add a part of a job's request."""
        job.part = part
        self.jobs.append(job)
        if part:
            self._groups.setdefault((id(job.model), type(part)), []).append(job)
        else:
            job.part_results = []

    def run(self, yield_seconds: float = 0.0) -> None:
        """Run the models, each once per kind of request, and give the results to the jobs.

        If all jobs yield without a request, sleep for `yield_seconds` to let other threads run.
        """
        for group in self._groups.values():
            _run(group)
        if self.jobs and not self._groups:
            sleep(yield_seconds)


def _run(group: list[Job]) -> None:
    """Run one inference for a group; give its results, or its error, to all jobs."""
    part = group[0].part
    rows: list[Any] = part if len(group) == 1 else list(chain.from_iterable(j.part for j in group))
    try:
        results = part.answered_by(group[0].model, rows)
        if len(results) != len(rows):
            raise ValueError(f"{len(results)} results for {len(rows)} rows")
    except BaseException as error:  # noqa: BLE001  passed to the owners of the jobs
        for job in group:
            job.part_results = as_exception(error)
        return
    first = 0
    for job in group:
        after = first + len(job.part)
        job.part_results = results[first:after]
        first = after
