"""Alertmanager's configuration, made from the settings: who is woken by what, and what silences what.

Pure: nothing is written here (render.py does), and only the secrets' files are looked at (channels.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from supercheck_exporter.channels import Channel, Config, read_channels

NOBODY = "nobody-is-paged"
NO_WARNINGS = "nobody-reads-warnings"
NO_DEAD_MAN = "no-dead-man-switch"
NOT_SENT = "not-sent"

# One notification is one problem of one queue, so that a page can name its subject and a pager's incident
# resolves when that queue is well, not when the last queue of the site is.
GROUP_BY = ["alertname", "component", "queue"]

# What an alert can be about. A critical silences a warning only where they are about the same thing.
SUBJECT = ("queue", "organization", "bucket", "database", "dependency", "node", "location", "objective", "service_name")
# Finer labels, which tell two alerts of one rule apart.
DETAIL = (
    "collector",
    "endpoint",
    "entity",
    "instance",
    "kind",
    "limiter",
    "mount",
    "pool_user",
    "provider",
    "resource",
    "table",
    "target",
    "tier",
    "type",
    "worker",
)

# The warnings that go quiet when a collector fails, because its series are all they are made of. The alerts
# themselves are named, not the component: when the events reader fails, the depth of a queue is still known.
FED_BY: dict[str, tuple[str, ...]] = {
    "backups": ("BackupMissing", "BackupPastRetention", "BackupRestoreUntested", "BackupShrunk"),
    "edge": ("CdnHitRatioLow", "RateLimitedRequestsHigh", "ReportLoadSlow"),
    "queues": (
        "QueueDepthHigh",
        "QueueJobStuckActive",
        "QueueJobsWaitingTooLong",
        "QueuePausedWithBacklog",
        "QueueSchedulesLate",
        "QueueSchedulesWillVanish",
    ),
    "queue_events": ("QueueEventsLost", "QueueFailureRateHigh", "QueueJobsStalled", "QueueProcessingBudgetBurning"),
    "monitors": ("RetentionFallingBehind",),
    "endpoints": ("ApiLatencyBudgetBurning", "CertificateExpiring", "EndpointDegraded", "UptimeBudgetBurning"),
    "dependencies": ("CircuitBreakerFlapping", "CircuitBreakerOpen", "DependencySlow"),
    "organization_capacity": (
        "CapacityCounterDrift",
        "OrganizationAtQueueLimit",
        "OrganizationMonopolizesWorkers",
        "OrganizationNearQueueLimit",
        "PhantomRuns",
        "RunsErroring",
    ),
    "pgbouncer": ("PgBouncerClientsWaiting", "PgBouncerPoolSaturated"),
    "postgres": (
        "PostgresArchivingFails",
        "PostgresConnectionsHigh",
        "PostgresDeadlocks",
        "PostgresLongTransaction",
        "PostgresSequentialScans",
        "PostgresWraparoundNear",
    ),
    "postgres_statements": ("DatabaseLatencyBudgetBurning", "PostgresQueryLatencyHigh"),
    "rate_limits": ("LoginLockouts", "RateLimitNear"),
    "redis": (
        "RedisClusterFailover",
        "RedisClusterNoReplica",
        "RedisEvictionUnsafe",
        "RedisMemoryHigh",
        "RedisReplicationLag",
    ),
    "execution": ("ExecutionPodsPending", "ExecutionQuotaExhausted"),
    "vault": ("SecretRotationOverdue", "VaultTokenExpiring"),
    "s3": (
        "BucketListingStale",
        "BucketUnreadable",
        "IncompleteUploads",
        "S3OperationSlow",
        "S3OperationsFailing",
        "StorageCostOverBudget",
    ),
    "s3_lifecycle": ("StorageMisplaced",),
    "workers": ("LocationWithoutWorkers", "WorkerUtilizationHigh", "WorkersLost", "WorkersNotScaling"),
}

HEADER = """\
# Made from the settings by `supercheck-exporter render`; changes here are lost at the next start.
# Secrets are named by file. Receivers that send nothing are named after what that means.
"""


@dataclass(frozen=True)
class Delivery:
    """`config` for Alertmanager, `problems` to mend, `warnings` on who is not reached, `notes` on who is."""

    config: Config
    problems: list[str]
    warnings: list[str]
    notes: list[str]

    def to_yaml(self) -> str:
        """The text of alertmanager.yml."""
        text: str = yaml.safe_dump(self.config, sort_keys=False, width=100, allow_unicode=True)
        return HEADER + text


def plan(env: Mapping[str, str]) -> Delivery:
    """Alertmanager's configuration for the channels that `env` sets; works with none set as well.

    Raises ValueError when ALERTMANAGER_VERSION is not a version.
    """
    channels, problems = read_channels(env, _version(env))
    of = {kind: [c for c in channels if c.kind == kind] for kind in ("pager", "chat", "mail", "dead-man")}
    # without a pager the mail is woken too: a critical alert reaches whatever is set
    critical = of["pager"] + of["chat"] + ([] if of["pager"] else of["mail"])
    warning = of["chat"] + of["mail"]

    warnings = []
    if not critical:
        warnings.append("nobody is paged: no channel is set; set ALERT_SLACK_WEBHOOK_URL_FILE or another one")
    elif not of["pager"]:
        warnings.append(f"no pager is set, so critical alerts go to {_names(critical)} only")
    if critical and not warning:
        warnings.append("only pagers are set, so nobody reads warnings; set Slack, Discord or e-mail for them")
    if not of["dead-man"]:
        warnings.append(
            "no dead-man switch is set, so nobody is told when Prometheus or Alertmanager itself stops; "
            "set ALERT_DEADMAN_URL_FILE"
        )
    notes = [
        f"critical alerts go to {_names(critical)}",
        f"warnings go to {_names(warning)}",
        f"the Watchdog pings {_names(of['dead-man'])}",
    ]

    critical_name = "critical" if critical else NOBODY
    warning_name = "warning" if warning else (NO_WARNINGS if critical else NOBODY)
    dead_man_name = "dead-man-switch" if of["dead-man"] else NO_DEAD_MAN
    receivers = {
        critical_name: critical,
        warning_name: warning,
        dead_man_name: of["dead-man"],
        NOT_SENT: [],
    }
    config: Config = {
        "global": {"resolve_timeout": "5m"},
        "templates": ["templates/*.tmpl"],
        "route": _routes(critical_name, warning_name, dead_man_name),
        "inhibit_rules": inhibitions(),
        "receivers": [_receiver(name, members) for name, members in receivers.items()],
    }
    return Delivery(config, problems, warnings, notes)


def _routes(critical: str, warning: str, dead_man: str) -> Config:
    return {
        # An alert of no known severity (a site's own rule) is worth a look: it goes where a warning goes.
        "receiver": warning,
        "group_by": GROUP_BY,
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "12h",
        "routes": [
            {
                "matchers": ['alertname="Watchdog"'],
                "receiver": dead_man,
                "group_by": ["alertname"],
                "group_wait": "0s",
                # A repeat is looked for once an interval and must be due then: 50 s makes a ping a minute.
                "group_interval": "30s",
                "repeat_interval": "50s",
            },
            {"matchers": ['severity=~"info|none"'], "receiver": NOT_SENT},
            {
                "matchers": ['severity="critical"'],
                "receiver": critical,
                # A person is woken: do not wait longer than it takes the same evaluation's alerts to arrive.
                "group_wait": "10s",
                "group_interval": "1m",
                "repeat_interval": "1h",
            },
            {"matchers": ['severity="warning"'], "receiver": warning},
        ],
    }


def inhibitions() -> list[Config]:
    """Alertmanager's inhibit_rules. A critical alert is never silenced by any of them.

    Alertmanager takes a label that both sides lack as equal. So there is one rule for each subject label
    which asks that both sides have it: an alert about nothing in particular silences nothing in particular.
    """
    rules: list[Config] = [
        {
            "source_matchers": ['severity="critical"', f'{label}!=""'],
            "target_matchers": ['severity="warning"', f'{label}!=""'],
            "equal": ["component", *SUBJECT],
        }
        for label in SUBJECT
    ]
    rules.append(  # an alert's critical form makes its own warning form superfluous
        {
            "source_matchers": ['severity="critical"'],
            "target_matchers": ['severity="warning"'],
            "equal": ["alertname", "component", *SUBJECT, *DETAIL],
        }
    )
    rules.extend(
        {
            "source_matchers": ['alertname="CollectorFailing"', f'collector="{collector}"'],
            "target_matchers": ['severity="warning"', f'alertname=~"{"|".join(alerts)}"'],
        }
        for collector, alerts in FED_BY.items()
    )
    return rules


def _receiver(name: str, channels: list[Channel]) -> Config:
    receiver: dict[str, Any] = {"name": name}
    for channel in channels:
        receiver.setdefault(channel.integration, []).append(channel.config)
    return receiver


def _names(channels: list[Channel]) -> str:
    return ", ".join(channel.name for channel in channels) or "nobody"


def _version(env: Mapping[str, str]) -> tuple[int, ...] | None:
    """ALERTMANAGER_VERSION as (major, minor, patch), None when it is unset."""
    text = env.get("ALERTMANAGER_VERSION", "").strip()
    if not text:
        return None
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    if match is None:
        raise ValueError(f"ALERTMANAGER_VERSION is {text!r}: give a version such as 0.28.1")
    return tuple(int(part or 0) for part in match.groups())
