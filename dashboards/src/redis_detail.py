"""Redis, the details: each node, memory, load, replication and the cluster."""

from . import promql
from .colors import IN, LIMIT, OUT, SLOW, TROUBLE, WARNING
from .layout import Section, shelf
from .levels import ANY_IS_WARNING, GREEN, PLAIN, RED, Thresholds, states
from .panels import Doc, Line, lines
from .sdk import models
from .tables import Label, Value, rows

_NO_CLUSTER = "no cluster"


def _each(metric: str, matchers: str = "") -> str:
    return promql.each(f"supercheck_redis_{metric}", matchers, "node")


def _rate(metric: str) -> str:
    return f"max by (node) (rate(supercheck_redis_{metric}[$__rate_interval]))"


def nodes_section(limits: Thresholds) -> Section:
    """Return the table of nodes."""
    return Section("Which node?", [shelf(8, _nodes(limits))])


def room_section(limits: Thresholds) -> Section:
    """Return the section about memory and what fills it."""
    return Section(
        "Does it have room?",
        [shelf(8, _full(limits), _used(), _keys()), shelf(7, _evicted(), _clients())],
    )


def load_section() -> Section:
    """Return the section about commands."""
    return Section("What does it work on?", [shelf(7, _commands(), _found())])


def cluster_section(limits: Thresholds) -> Section:
    """Return the section about replicas and the cluster."""
    return Section(
        "Would it survive a failure?",
        [shelf(8, _lag(limits), _slots(), _copies()), shelf(7, _failovers(), _owned())],
    )


def _nodes(limits: Thresholds) -> models.Panel:
    memory = f"{_each('memory_used_bytes')} / {_each('memory_limit_bytes')}"
    by_role = "max by (node, role) (supercheck_redis_node_up)"
    return rows(
        "Each node",
        Doc(
            "Every Redis server that is known, those that are down too. All are found from the one address that the "
            "exporter was given.",
            "all up.",
            "start the one that is down; a cluster's node comes back as a replica.",
        ),
        [Label("node", "Node", width=150), Label("role", "Role", width=75)],
        [
            Value("Answers", by_role, "short", mappings=[states({"0": ("DOWN", RED), "1": ("up", GREEN)})], width=100),
            Value("Started", f"1000 * {_by_role('start_timestamp_seconds')}", "dateTimeFromNow", width=140),
            Value("Keys", _by_role("keys"), "short", decimals=0),
            Value("Memory", _by_role("memory_used_bytes"), "bytes"),
            Value(
                "Of limit",
                f"({memory}) * on (node) group_right () ({by_role} == 1)",
                "percentunit",
                decimals=0,
                levels=limits.above(warning="redis_memory_warning_ratio", critical="redis_memory_critical_ratio"),
                absent="no known limit",
            ),
            Value("Clients", _by_role("clients"), "short", decimals=0),
            Value("Behind", _by_role("replication_lag_bytes"), "bytes", absent=" "),
            Value(
                "On disk",
                _by_role("persistence_enabled"),
                "short",
                mappings=[states({"0": ("no", PLAIN), "1": ("yes", GREEN)})],
            ),
        ],
        no_data="the exporter does not answer",
        sort_by="Answers",
        descending=False,
        runbooks=["RedisDown", "RedisMemoryHigh"],
    )


def _by_role(metric: str) -> str:
    return f"max by (node, role) (supercheck_redis_{metric})"


def _full(limits: Thresholds) -> models.Panel:
    return lines(
        "Memory over limit",
        Doc(
            "Memory of each node over its maxmemory. Dashed: the thresholds of RedisMemoryHigh.",
            "below 80 %, with room for the biggest backlog that you have seen.",
            "rising with a queue's backlog: bring its workers back. Without one: something is retained or not read.",
        ),
        [Line(f"{_each('memory_used_bytes')} / {_each('memory_limit_bytes')}", "{{node}}")],
        unit="percentunit",
        no_data="no node has a maxmemory",
        soft_max=1,
        levels=limits.above(warning="redis_memory_warning_ratio", critical="redis_memory_critical_ratio"),
        runbooks=["RedisMemoryHigh"],
    )


def _used() -> models.Panel:
    return lines(
        "Memory",
        Doc(
            "Memory that each node has allocated, and the lowest maxmemory where one is set.",
            "follows the backlog and the retained jobs.",
            "without a limit line nothing stops it but the container's limit, and the kernel kills: set maxmemory.",
        ),
        [
            Line(_each("memory_used_bytes"), "{{node}}"),
            Line("min(supercheck_redis_memory_limit_bytes)", "limit", LIMIT, dashed=True),
        ],
        unit="bytes",
    )


def _keys() -> models.Panel:
    return lines(
        "Keys",
        Doc(
            "Keys of each node: about one a job that waits, runs or is retained, and some a queue.",
            "slow waves; a replica has as many as its master.",
            "a drop to near zero at a purple mark (a restart): what it held is gone.",
        ),
        [Line(_each("keys"), "{{node}}")],
        unit="short",
        decimals=0,
        runbooks=["RedisRestartedEmpty"],
    )


def _evicted() -> models.Panel:
    return lines(
        "Keys dropped for lack of memory",
        Doc(
            "Evicted keys a second. With the policy noeviction there are none, whatever happens.",
            "0.",
            "jobs are being lost: set noeviction and make room.",
        ),
        [Line(_rate("evicted_keys_total"), "{{node}}")],
        unit="cps",
        soft_max=1,
        runbooks=["RedisEvictionUnsafe"],
    )


def _clients() -> models.Panel:
    return lines(
        "Clients over limit",
        Doc(
            "Connected clients of each node over its maxclients. A worker holds about 32 connections, the app 20.",
            "below 10 %: the limit is 10,000 unless somebody lowered it.",
            "a steady rise: somebody opens connections and does not close them. CLIENT LIST shows who.",
        ),
        [Line(f"{_each('clients')} / {_each('client_limit')}", "{{node}}")],
        unit="percentunit",
        soft_max=0.1,
    )


def _commands() -> models.Panel:
    return lines(
        "Commands",
        Doc(
            "Commands a second of each node.",
            "follows the jobs; some a second at rest, as every worker asks.",
            "far above what the jobs explain: somebody loops. Near the most that it ever did: one core is its limit.",
        ),
        [Line(_rate("commands_total"), "{{node}}")],
        unit="ops",
    )


def _found() -> models.Panel:
    hits, misses = _rate("keyspace_hits_total"), _rate("keyspace_misses_total")
    return lines(
        "Lookups that find their key",
        Doc(
            "Share of reads that found their key. BullMQ asks for many keys that need not exist, so this is no cache's "
            "hit ratio.",
            "steady, at whatever height.",
            "a sudden fall: keys are gone (a restart, evictions).",
        ),
        [Line(f"{hits} / ({hits} + {misses} > 0)", "{{node}}")],
        unit="percentunit",
        soft_max=1,
    )


def _lag(limits: Thresholds) -> models.Panel:
    return lines(
        "Replicas behind their master",
        Doc(
            "Bytes that each replica has not yet confirmed to its master. Dashed: RedisReplicationLag's threshold.",
            "some kilobytes.",
            "this is what a failover would lose now. Look at the replica's host and the network.",
        ),
        [Line(_each("replication_lag_bytes"), "{{node}}")],
        unit="bytes",
        no_data="no replica is online",
        soft_max=1_000_000,
        levels=limits.above(warning="redis_replication_lag_bytes"),
        runbooks=["RedisReplicationLag"],
    )


def _slots() -> models.Panel:
    def state(name: str) -> str:
        return f'max(supercheck_redis_cluster_slots{{state="{name}"}})'

    return lines(
        "Slots",
        Doc(
            "The cluster's 16384 slots: served, suspected (their master does not answer somebody), failed, or given to "
            "nobody.",
            "all served.",
            "failed: a master and its replica are down. By default the cluster then refuses every command.",
        ),
        [
            Line(state("ok"), "served", OUT),
            Line(state("pfail"), "suspected", WARNING),
            Line(state("fail"), "failed", TROUBLE),
            Line(state("unassigned"), "given to nobody", LIMIT),
        ],
        unit="short",
        decimals=0,
        stacked=True,
        no_data=_NO_CLUSTER,
        runbooks=["RedisClusterDegraded"],
    )


def _copies() -> models.Panel:
    return lines(
        "Masters and replicas",
        Doc(
            "Masters that serve slots, replicas that work, and masters that have no such replica.",
            "no master without a replica.",
            "start the node that is down. Until then the death of that master loses its slots.",
        ),
        [
            Line("max(supercheck_redis_cluster_masters)", "masters", IN),
            Line("max(supercheck_redis_cluster_replicas)", "replicas", OUT),
            Line("max(supercheck_redis_cluster_masters_without_replica)", "masters without a replica", WARNING),
        ],
        unit="short",
        decimals=0,
        no_data=_NO_CLUSTER,
        levels=ANY_IS_WARNING,
        runbooks=["RedisClusterNoReplica"],
    )


def _failovers() -> models.Panel:
    return lines(
        "Failovers",
        Doc(
            "Replicas that became masters, in each interval.",
            "0; one for each planned switch.",
            "read the old master's log: killed, or frozen for longer than the node timeout.",
        ),
        [Line("max(increase(supercheck_redis_cluster_failovers_total[$__rate_interval]))", "failovers", SLOW)],
        unit="short",
        decimals=0,
        no_data=_NO_CLUSTER,
        runbooks=["RedisClusterFailover"],
    )


def _owned() -> models.Panel:
    return lines(
        "Slots of each master",
        Doc(
            "How many slots each master owns. A line that ends and another that begins at its height: a failover.",
            "equal shares.",
            "unequal shares put unequal load on the nodes; `redis-cli --cluster rebalance` evens them.",
        ),
        [Line("max by (node) (supercheck_redis_cluster_slots_owned)", "{{node}}")],
        unit="short",
        decimals=0,
        stacked=True,
        no_data=_NO_CLUSTER,
    )
