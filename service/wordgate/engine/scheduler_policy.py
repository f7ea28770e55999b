"""The scheduler's tunable parameters, with their defaults and the reasons for them."""

from dataclasses import dataclass

DEFAULT_MAX_QUEUED_ROWS = 20_000
QUANTUM_ROWS = 1024


@dataclass(frozen=True)
class SchedulerPolicy:
    """Batch size, fair shares between jobs, and time slices, in rows unless named otherwise.

    - `max_rows`: rows per batch.
    - `max_queued_rows`: queued rows above which new jobs are rejected.
    - `low_priority_share`: a batch reserves 1/4 of its rows for lower priorities, if they have work
      queued.
    - `long_share`: a batch reserves 1/4 of its rows for long jobs while short jobs could fill it.
    - `max_bulk_rows_while_interactive`: rows per batch of bulk jobs alongside interactive ones,
      and of long jobs alongside short ones. A batch of 16 rows takes little longer than one of a
      few rows.
    - `interactive_window_seconds`: after an interactive request, the engine counts as interactive
      for this long.
    - `interactive_levels`, `normal_levels`: completed rows at which a job moves to the next, lower
      queue level of its priority. A keystroke takes 3 rows, a prediction 10 to 400. Bulk jobs of
      ordinary length stay in the first level and run one after the other.
    - `max_longest_jobs`: interactive jobs of the lowest level per batch; the others wait until one
      ends. A search uses 9 KB of memory per row.
    - `quantum_rows`: time slice of a bulk job. Running few jobs at a time keeps their states in the
      CPU cache, and the slice prevents large jobs from blocking others for longer.
    - `start_rows`: charge for starting a bulk or batch job, which may tokenize long texts.
    - `yield_rows`: charge for a job that yields without a model request; it is CPU-bound.
    - `prefetch_batches`: batches for which requests are prepared ahead. Later jobs are started when
      their turn comes; until then they use no memory except for their texts.
    - `yield_seconds`: sleep after a batch without rows, so that another engine thread can run.
    - `sweep_seconds`, `sweep_duty_cycle`: interval between sweeps for cancelled or expired jobs in
      the queues. Sweeping takes at most 1/20 of the time, however long the queues.
    - `retry_after_seconds`: retry delay that a rejected job reports.
    """

    max_rows: int = 64
    max_queued_rows: int = DEFAULT_MAX_QUEUED_ROWS
    low_priority_share: int = 4
    long_share: int = 4
    max_bulk_rows_while_interactive: int = 16
    interactive_window_seconds: float = 0.02
    interactive_levels: tuple[int, ...] = (16, 128, 512)
    normal_levels: tuple[int, ...] = (2 * QUANTUM_ROWS,)
    max_longest_jobs: int = 4
    quantum_rows: int = QUANTUM_ROWS
    start_rows: int = 4
    yield_rows: int = 16
    prefetch_batches: int = 4
    yield_seconds: float = 0.0002
    sweep_seconds: float = 0.005
    sweep_duty_cycle: int = 20
    retry_after_seconds: float = 0.5
