"""Run a `wordgate` command in tests, and capture its result."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ended:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output parsed as JSON."""
        assert self.code == 0, self.err
        return json.loads(self.out)


Run = Callable[..., Ended]
