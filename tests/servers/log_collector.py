"""The collector on logs.yaml: it follows Docker's log files in a folder of the test."""

from __future__ import annotations

from pathlib import Path

from servers.collector import Collector


class LogCollector(Collector):
    """Reads what is below ``logs``, and sends it to another collector or a sink at ``receiver``."""

    name = "log-collector"

    def __init__(self, logs: Path, receiver: str, **settings: str) -> None:
        super().__init__(
            configuration="logs.yaml",
            LOGS_DIRECTORY=str(logs),
            LOGS_POLL_INTERVAL="50ms",
            LOGS_FLUSH="100ms",
            OTEL_COLLECTOR_URL=receiver,
            **settings,
        )

    def command(self) -> list[str | Path]:
        """As compose starts it: a line is on the disk before the place in its file is."""
        return [*super().command(), "--feature-gates=stanza.synchronousLogEmitter"]
