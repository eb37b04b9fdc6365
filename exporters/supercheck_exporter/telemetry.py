"""The exporter's own logs: one JSON object a line on standard error, with the fields of the log pipeline."""

from __future__ import annotations

import logging
import sys
import threading

from pythonjsonlogger.json import JsonFormatter

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


def start_logging(level: str) -> None:
    """Send every log line to standard error as JSON: timestamp (ISO 8601, UTC), level, service, logger, message."""
    formatter = JsonFormatter(
        "{levelname}{name}{message}",
        style="{",
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "stack"},
        static_fields={"service": "supercheck-exporter"},
        timestamp=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)
    threading.excepthook = _log_end_of_thread
    # client libraries log addresses and answers at these levels, which is more than we promise to show
    for name in ("redis", "urllib3", "markdown_it"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _log_end_of_thread(end: threading.ExceptHookArgs) -> None:
    """A thread that ends on a defect is a log line like any other, not a bare traceback."""
    name = end.thread.name if end.thread else "unknown"
    what = (end.exc_type, end.exc_value, end.exc_traceback) if end.exc_value else None
    logging.getLogger(__name__).critical("thread %s ended on a defect", name, exc_info=what)
