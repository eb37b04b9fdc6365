"""How many requests a second the readers may make together."""

from __future__ import annotations

import threading
import time


class Pace:
    """Hands out moments that are ``1 / per_second`` apart, to every thread in turn."""

    def __init__(self, per_second: float) -> None:
        self._apart = 1 / per_second
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self, stopping: threading.Event) -> bool:
        """Wait for this thread's moment; False where it was told to stop meanwhile."""
        with self._lock:
            moment = max(self._next, time.monotonic())
            self._next = moment + self._apart
        return not stopping.wait(max(0.0, moment - time.monotonic()))
