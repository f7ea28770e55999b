"""Log lines on standard error, for people or for programs.

Nothing of a user's text is ever logged: what logs has to see to that.
"""

import sys

import structlog
from structlog.typing import EventDict, Processor


def configure_logs(log_format: str, **bound: object) -> None:
    """Lines of text, or of JSON when `log_format` is "json"; each has what is `bound`."""
    rendering: Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)
    )

    def bind(logger: object, name: str, event: EventDict) -> EventDict:
        return {**event, **bound}

    structlog.configure(
        processors=[
            bind,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            rendering,
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
