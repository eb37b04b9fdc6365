"""What the exporter says of itself: JSON log lines on standard error, and the room for traces.

A line has the fields of the log pipeline: timestamp (ISO 8601, UTC), level (DEBUG, INFO, WARN, ERROR, FATAL), service,
logger, message, and where they are known stack, trace_id, span_id and what a caller gave as ``extra``.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from pythonjsonlogger.json import JsonFormatter

SERVICE = "supercheck-exporter"
SCRAPE = "scrape"
"""The name of the one span that begins a trace."""

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
NAMES = {"WARNING": "WARN", "CRITICAL": "FATAL"}
"""Python's names of levels that the pipeline calls otherwise."""

REMIND_SECONDS = 300.0
"""A client library that repeats itself is heard this often."""


Failed = Callable[[str], None]
"""Marks a span as failed, with the reason."""


class Tracer(Protocol):
    """What makes spans; tracing.py has the one that is used where traces are on."""

    def span(self, name: str, attributes: Mapping[str, str | int | float]) -> AbstractContextManager[Failed]:
        """See the function of the same name."""

    def current_ids(self) -> tuple[str, str] | None:
        """Trace id and span id of the block we are in."""


_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """Make spans by this from now on; None ends it."""
    global _tracer
    _tracer = tracer


def span(name: str, **attributes: str | int | float) -> AbstractContextManager[Failed]:
    """A span around a block, or nothing where traces are off; what it yields marks it as failed, with the reason."""
    return nullcontext(_unheard) if _tracer is None else _tracer.span(name, attributes)


def _unheard(_reason: str) -> None:
    """Traces are off."""


def same_but_for_numbers(text: str) -> str:
    """A text in which counts, ages and ports do not matter, to tell whether a failure is the one we know."""
    return re.sub(r"\d+(?:\.\d+)?", "#", text)


class _Formatter(JsonFormatter):
    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        log_data["level"] = NAMES.get(log_data["level"], log_data["level"])
        ids = _tracer.current_ids() if _tracer else None
        if ids is not None:
            log_data["trace_id"], log_data["span_id"] = ids
        return super().process_log_record(log_data)


class Repeats(logging.Filter):
    """Lets one of the same lines through, and the next after a while with the count of those between."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written; one that is may get a field ``repeated``."""
        if not record.name.startswith("opentelemetry"):
            return True
        key, now = same_but_for_numbers(f"{record.name} {record.getMessage()}"), self._clock()
        written_at, held = self._seen.get(key, (-REMIND_SECONDS, 0))
        if now - written_at < REMIND_SECONDS:
            self._seen[key] = (written_at, held + 1)
            return False
        self._seen[key] = (now, 0)
        if held:
            record.repeated = held
        return True


def start_logging(level: str) -> None:
    """Send every log line to standard error as JSON."""
    formatter = _Formatter(
        "{levelname}{name}{message}",
        style="{",
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "stack"},
        static_fields={"service": SERVICE},
        timestamp=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(Repeats())
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)
    threading.excepthook = _log_end_of_thread
    # client libraries log addresses, answers and signed requests at these levels, which is more than we promise to show
    for name in ("redis", "urllib3", "botocore", "boto3", "s3transfer", "markdown_it", "opentelemetry"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _log_end_of_thread(end: threading.ExceptHookArgs) -> None:
    """A thread that ends on a defect is a log line like any other, not a bare traceback."""
    name = end.thread.name if end.thread else "unknown"
    what = (end.exc_type, end.exc_value, end.exc_traceback) if end.exc_value else None
    logging.getLogger(__name__).critical("thread %s ended on a defect", name, exc_info=what)
