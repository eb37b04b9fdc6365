"""How each bucket answered its listing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Literal, get_args

from supercheck_exporter.sources.s3 import S3Error

log = logging.getLogger(__name__)

State = Literal["readable", "missing", "forbidden", "failing"]
STATES: tuple[State, ...] = get_args(State)


class States:
    """By bucket. Each change is logged once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, tuple[State, str]] = {}

    def well(self, bucket: str) -> None:
        """It answers."""
        with self._lock:
            before = self._states.get(bucket)
            self._states[bucket] = ("readable", "")
        if before is not None and before[0] != "readable":
            log.info("bucket %s is readable again", bucket)

    def ill(self, bucket: str, problem: S3Error) -> None:
        """It does not; a server that can't be reached or refuses the login is failing for each of its buckets."""
        state: State = "failing"
        if problem.kind in ("missing", "forbidden"):
            state = "missing" if problem.kind == "missing" else "forbidden"
        with self._lock:
            before = self._states.get(bucket)
            self._states[bucket] = (state, str(problem))
        if before is None or before[1] != str(problem):
            log.warning("bucket %s: %s", bucket, problem)

    def is_well(self, bucket: str) -> bool:
        """Whether it answered when it was last asked."""
        with self._lock:
            return bucket not in self._states or self._states[bucket][0] == "readable"

    def states(self) -> Mapping[str, State]:
        """The state of each bucket that was asked."""
        with self._lock:
            return {bucket: state for bucket, (state, _) in self._states.items()}

    def problems(self) -> Mapping[str, str]:
        """What is wrong, by bucket, for people."""
        with self._lock:
            return {bucket: text for bucket, (_, text) in self._states.items() if text}
