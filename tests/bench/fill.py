"""Fills a Redis with what BullMQ would leave there, fast: by a script, which only a benchmark may do."""

from __future__ import annotations

import redis

# ARGV: key base, jobs, milliseconds. A waiting job as BullMQ 5 stores it, with some data in it.
_WAITING = """
for i = 1, ARGV[2] do
  redis.call('HSET', ARGV[1] .. i, 'name', 'run', 'data', string.rep('x', 200), 'opts', '{"attempts":3,"delay":0}',
             'timestamp', ARGV[3], 'delay', 0, 'priority', 0)
  redis.call('LPUSH', ARGV[1] .. 'wait', i)
end
redis.call('HSET', ARGV[1] .. 'meta', 'opts.maxLenEvents', 10000, 'version', 'bullmq:5.81.3')
"""


def waiting_jobs(client: redis.Redis, queues: list[str], jobs: int, now_ms: int) -> None:
    """Put ``jobs`` waiting jobs into the queues, evenly."""
    each = jobs // len(queues)
    for queue in queues:
        for _ in range(0, each, 20_000):
            client.eval(_WAITING, 0, f"bull:{queue}:", min(each, 20_000), now_ms)


def usec(client: redis.Redis) -> tuple[int, float]:
    """Commands and microseconds of Redis's processor so far, those of measuring left out."""
    stats = client.info("commandstats")
    assert isinstance(stats, dict)
    rows = {name: row for name, row in stats.items() if name not in ("cmdstat_info", "cmdstat_config|resetstat")}
    return sum(row["calls"] for row in rows.values()), sum(row["usec"] for row in rows.values())
