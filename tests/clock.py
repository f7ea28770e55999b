"""A clock that a test moves."""


class Clock:
    """Stands still but where a test sets it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The moment, in seconds."""
        return self.now
