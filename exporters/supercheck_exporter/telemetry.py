"""The exporter's own logs: one JSON object a line on standard error, with the fields of the log pipeline."""

from __future__ import annotations

import logging
import sys

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
    # client libraries log addresses and answers at these levels, which is more than we promise to show
    for name in ("redis", "urllib3", "markdown_it"):
        logging.getLogger(name).setLevel(logging.WARNING)
