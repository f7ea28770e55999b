"""Training metrics: JSON lines, TensorBoard events and a plot of the learning curves.

The JSON lines are authoritative; the events and the plot are derived from them. A run that
resumes from a checkpoint drops the records written after that checkpoint.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from wordgate.plots.training_curves import draw_curves

_LINES = "metrics.jsonl"
CURVES_FILE = "curves.png"
_EVENTS = "events"


class Journal:
    """The metrics of one run, in its folder."""

    def __init__(self, folder: Path, step: int) -> None:
        """Open the journal of a run that resumes after `step` (0: a new run)."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.records = [record for record in read(folder) if record["step"] <= step and step]
        self._rewrite()
        self._file = (folder / _LINES).open("a", encoding="utf-8")
        self._events = _open_events(folder / _EVENTS)
        for record in self.records:
            self._add_event(record)

    def write(self, step: int, kind: str, **figures: float) -> None:
        """Append metrics of one kind (`train`, `held_out`) at a step."""
        record = {"step": step, "kind": kind, **figures}
        self.records.append(record)
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        self._add_event(record)

    def draw(self) -> None:
        """Redraw the plot of the curves."""
        draw_curves(self.records, self._folder / CURVES_FILE)

    def flush(self) -> None:
        """Flush the lines to disk (fsync). Call before saving a checkpoint."""
        self._file.flush()
        os.fsync(self._file.fileno())
        if self._events is not None:
            self._events.flush()

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._events is not None:
            self._events.close()

    def _rewrite(self) -> None:
        draft = self._folder / f"unfinished-{_LINES}"
        lines = [json.dumps(record) + "\n" for record in self.records]
        draft.write_text("".join(lines), encoding="utf-8")
        draft.replace(self._folder / _LINES)

    def _add_event(self, record: dict[str, Any]) -> None:
        if self._events is None:
            return
        for name, value in record.items():
            if name not in ("step", "kind"):
                self._events.add_scalar(f"{record['kind']}/{name}", value, record["step"])


def read(folder: Path) -> list[dict[str, Any]]:
    """Read the records of a run, skipping a line that a crash truncated."""
    records: list[dict[str, Any]] = []
    path = folder / _LINES
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                records.append(json.loads(line))
    return records


def _open_events(folder: Path) -> Any:
    """Empty the folder and return a TensorBoard writer; None without tensorboardX."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    folder.mkdir(exist_ok=True)
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    return SummaryWriter(str(folder))
