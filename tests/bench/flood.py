"""Writes events as BullMQ would at a given pace: ``flood.py PORT SECONDS JOBS_A_SECOND``; prints the jobs."""

from __future__ import annotations

import sys
import time

import redis

BATCH = 100
KEY = "bull:bench:events"


def main() -> None:
    """Write batches of added, waiting, active, completed; a late batch is followed at once by the next."""
    port, seconds, pace = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    client = redis.Redis(port=port)
    began, jobs = time.monotonic(), 0
    while (now := time.monotonic()) < began + seconds:
        due = began + jobs / pace
        if now < due:
            time.sleep(due - now)
        pipe = client.pipeline(transaction=False)
        for number in range(jobs, jobs + BATCH):
            for event in (b"added", b"waiting", b"active", b"completed"):
                pipe.execute_command(  # type: ignore[no-untyped-call]
                    "XADD", KEY, "MAXLEN", "~", 10_000, "*", "event", event, "jobId", number, "prev", "x"
                )
        pipe.execute()
        jobs += BATCH
    print(jobs)


if __name__ == "__main__":
    main()
