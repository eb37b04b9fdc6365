"""What is too much of Redis."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "redis_memory_warning_ratio",
        0.8,
        "ratio",
        "Memory over maxmemory of a Redis node: above it RedisMemoryHigh warns.",
    ),
    Threshold(
        "redis_memory_critical_ratio",
        0.95,
        "ratio",
        "Memory over maxmemory of a Redis node: above it RedisMemoryHigh pages.",
    ),
    Threshold(
        "redis_restart_kept_keys_ratio",
        0.5,
        "ratio",
        "Keys of a Redis node after over before its restart: below it RedisRestartedEmpty pages.",
    ),
    Threshold(
        "redis_replication_lag_bytes",
        10_000_000,
        "bytes",
        "Bytes that a Redis replica is behind its master: above it RedisReplicationLag warns.",
    ),
)

ORDER = (("redis_memory_warning_ratio", "redis_memory_critical_ratio"),)
