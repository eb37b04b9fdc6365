"""Redis: does it answer, does it have room, would it survive the next fault."""

from . import links, promql, shared
from .layout import Section, shelf
from .levels import ANY_IS_CRITICAL, GREEN, ORANGE, PLAIN, RED, Thresholds, states
from .panels import Doc, one
from .redis_detail import cluster_section, load_section, nodes_section, room_section
from .sdk import models
from .spec import Spec

_NO_INFO = "no answer, or no INFO"


def _sections(limits: Thresholds) -> list[Section]:
    alerts = shared.alerts_table("Alerts about Redis", 'component="redis"')
    return [
        Section("Is Redis well?", [shelf(4, *_strip(limits)), shelf(6, alerts)]),
        nodes_section(limits),
        room_section(limits),
        load_section(),
        cluster_section(limits),
    ]


def _strip(limits: Thresholds) -> list[models.Panel]:
    up = promql.each("supercheck_redis_node_up", "", "node")
    used = promql.each("supercheck_redis_memory_used_bytes", "", "node")
    limit = promql.each("supercheck_redis_memory_limit_bytes", "", "node")
    return [
        one(
            "Nodes down",
            Doc(
                "Redis servers that do not answer the exporter: the one, its replicas, every node of the cluster.",
                "0.",
                "the table 'Each node' names them; the status page of the exporter says why.",
            ),
            promql.count_or_zero(f"{up} == 0", up),
            unit="short",
            levels=ANY_IS_CRITICAL,
            no_data="the exporter does not answer",
            runbooks=["RedisDown"],
            more=[links.status_page()],
            loud=True,
        ),
        one(
            "Cluster",
            Doc(
                "Whether every master that answers calls the cluster ok. A single server has none.",
                "ok, or no cluster.",
                "'Slots' below shows how much is not served.",
            ),
            "max(supercheck_redis_cluster_ok)",
            unit="short",
            mappings=[states({"0": ("FAILED", RED), "1": ("ok", GREEN)})],
            no_data="no cluster, or no answer",
            runbooks=["RedisClusterDegraded"],
        ),
        one(
            "Fullest node",
            Doc(
                "Memory over maxmemory of the node that is fullest. Full means that no job can be queued.",
                "below 80 %.",
                "a backlog fills it: see the queues. Else raise maxmemory and the container's limit.",
            ),
            f"max({used} / {limit})",
            unit="percentunit",
            decimals=0,
            levels=limits.above(warning="redis_memory_warning_ratio", critical="redis_memory_critical_ratio"),
            no_data="no node has a maxmemory",
            runbooks=["RedisMemoryHigh"],
        ),
        one(
            "Last start",
            Doc(
                "How long ago the master that started last did so. Supercheck's own Redis starts empty.",
                "days.",
                "compare 'Keys' before and after: fewer means that queues and schedules are gone.",
            ),
            'min(time() - max by (node) (supercheck_redis_start_timestamp_seconds{role="master"}))',
            unit="s",
            no_data=_NO_INFO,
            runbooks=["RedisRestartedEmpty"],
        ),
        one(
            "Survives a restart",
            Doc(
                "Whether every node keeps its data on disk. Supercheck's compose keeps nothing: no alert by itself.",
                "yes; no with Supercheck's compose as it comes.",
                "turn on the append-only file; until then a restart loses queues and schedules.",
            ),
            "min(supercheck_redis_persistence_enabled)",
            unit="short",
            mappings=[states({"0": ("no", PLAIN), "1": ("yes", GREEN)})],
            no_data="no answer, or no CONFIG",
            runbooks=["RedisRestartedEmpty"],
        ),
        one(
            "When full",
            Doc(
                "What the nodes do then: refuse writes (noeviction), or drop keys, and jobs with them.",
                "refuses.",
                "set maxmemory-policy to noeviction.",
            ),
            "min(supercheck_redis_eviction_policy_safe)",
            unit="short",
            mappings=[states({"0": ("drops jobs", ORANGE), "1": ("refuses", GREEN)})],
            no_data=_NO_INFO,
            runbooks=["RedisEvictionUnsafe"],
        ),
    ]


SPEC = Spec(
    uid=links.REDIS,
    title="Supercheck / Redis",
    description="Does Redis answer? Does it have room? Would it survive the next restart or the next failure?",
    sections=_sections,
    alert_matchers='component="redis"',
)
