"""Workers, the backend: the Kubernetes namespace in which tests really run."""

from . import promql
from .colors import IN, LIMIT, OUT
from .layout import Section, shelf
from .levels import GREEN, ORANGE, Levels, Thresholds
from .panels import Doc, Line, lines
from .sdk import models

_NONE = "no Kubernetes is configured"
_PHASES = {"Pending": IN, "Running": OUT, "Succeeded": LIMIT, "Failed": "purple", "Unknown": "yellow"}


def execution_section(limits: Thresholds) -> Section:
    """Return the section about pods and quota."""
    return Section("Where do tests really run?", [shelf(7, _pods(), _quota(limits), _pending(limits))])


def _pods() -> models.Panel:
    return lines(
        "Pods by phase",
        Doc(
            "Pods of the execution namespace. One that has ended stays for 10 minutes.",
            "as many running as tests run.",
            "pending and no running: no room, or no image. Failed ones are tests that failed, or were killed.",
        ),
        [Line(promql.each("supercheck_execution_pods", "", "phase"), "{{phase}}")],
        unit="short",
        decimals=0,
        stacked=True,
        colors=_PHASES,
        no_data=_NONE,
    )


def _quota(limits: Thresholds) -> models.Panel:
    share = "supercheck_execution_quota_used / (supercheck_execution_quota_limit > 0)"
    return lines(
        "Quota in use",
        Doc(
            "Used over limit of each resource under the namespace's quota. Dashed: ExecutionQuotaExhausted.",
            "below 100 %.",
            "the next test fails at 100 %. count/jobs.batch counts Jobs that ended less than 10 minutes ago as well.",
        ),
        [Line(f"max by (resource) ({share})", "{{resource}}")],
        unit="percentunit",
        soft_max=1,
        levels=Levels(GREEN, ((limits["execution_quota_ratio"], ORANGE),)),
        no_data=f"{_NONE}, or no quota",
        runbooks=["ExecutionQuotaExhausted"],
    )


def _pending(limits: Thresholds) -> models.Panel:
    return lines(
        "Oldest pending pod",
        Doc(
            "How long the pod that is pending for longest has waited for a node and its image.",
            "seconds.",
            "`kubectl describe pod` says why: no room, no image, no runtime.",
        ),
        [Line("max(supercheck_execution_oldest_pending_age_seconds)", "oldest", IN)],
        unit="s",
        soft_max=60,
        levels=limits.above(warning="execution_pending_seconds"),
        no_data=_NONE,
        runbooks=["ExecutionPodsPending"],
    )
