"""The admission control of a server: one controller per priority."""

import math

from wordgate.engine.admission import AdmissionController
from wordgate.engine.job import Priority
from wordgate.server.config.options import Configuration
from wordgate.server.services.scoring import TURN_BYTES

_ROW_BYTES = 4.0
"""Initial estimate of a request's bytes per row, until the first request has completed."""

_PREDICTION_ROWS = 64.0
"""Predictions of more rows yield to other requests."""

_TURN_SIZES = {
    Priority.INTERACTIVE: _PREDICTION_ROWS,
    Priority.NORMAL: TURN_BYTES,
    Priority.BATCH: math.inf,
}

MIN_ADMITTED_ROWS = 16
"""Rows admitted per engine thread at any load: a batch of 16 costs little more than one of 1."""

_BATCH_WAIT_SECONDS = 10.0
"""Queueing-delay limit for batch-priority requests. Keep it below the clients' deadlines."""


def admission_controllers(configuration: Configuration) -> dict[Priority, AdmissionController]:
    """Return the admission controller of each priority, with its queueing-delay limit."""
    waits = {
        Priority.INTERACTIVE: configuration.max_predict_queue_delay_seconds,
        Priority.NORMAL: configuration.max_queue_delay_seconds,
        Priority.BATCH: max(configuration.max_queue_delay_seconds, _BATCH_WAIT_SECONDS),
    }
    return {
        priority: AdmissionController(
            seconds,
            configuration.engine_threads,
            spared_in_calm=configuration.engine_threads + 1,
            spared_rows=MIN_ADMITTED_ROWS * configuration.engine_threads,
            quantum=_TURN_SIZES[priority],
            row_size=_ROW_BYTES,
            most_rows=_PREDICTION_ROWS if priority is Priority.INTERACTIVE else None,
        )
        for priority, seconds in waits.items()
    }
