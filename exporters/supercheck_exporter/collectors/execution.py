"""Where tests really run: the pods of Supercheck's execution namespace in Kubernetes, and its quota.

Source: the API's lists of pods and of resource quotas. Of pods only the metadata is asked for, a phase at a time: their
specification holds the secrets of the tests that run in them, and never leaves the API server.

    supercheck_execution_pods{phase="Pending"} 2.0
    supercheck_execution_quota_used{resource="pods"} 8.0
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from supercheck_exporter.core import Collector, Sample, SourceError, gauge
from supercheck_exporter.sources.kubernetes import KubernetesSource, Session

PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
"""In the order in which a pod goes through them: one that moves while we ask is seen at least once."""

METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
JSON = "application/json"
MAX_RESOURCES = 50

PODS = gauge("supercheck_execution_pods", "Pods of the execution namespace by phase.", "phase")
USED = gauge(
    "supercheck_execution_quota_used",
    "What is used of a resource under a quota, in its own unit (cores, bytes, objects); of several quotas the fullest.",
    "resource",
)
LIMIT = gauge("supercheck_execution_quota_limit", "What that quota allows, in the same unit.", "resource")
PENDING = gauge(
    "supercheck_execution_oldest_pending_age_seconds",
    "Seconds since the pod that is pending for longest was made, by the API server's clock; 0 when none is.",
)

_SUFFIXES = {
    **{name: Decimal(10) ** power for name, power in (("n", -9), ("u", -6), ("m", -3), ("k", 3), ("M", 6), ("G", 9))},
    **{name: Decimal(10) ** power for name, power in (("T", 12), ("P", 15), ("E", 18))},
    **{name: Decimal(1024) ** power for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}
_QUANTITY = re.compile(rf"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{{1,3}})|({'|'.join(_SUFFIXES)}))?")


class ExecutionCollector(Collector):
    """A list for each phase, and one of quotas, within one deadline."""

    name = "execution"
    descs = (PODS, USED, LIMIT, PENDING)

    def __init__(self, source: KubernetesSource, namespace: str) -> None:
        self._source = source
        self._path = f"/api/v1/namespaces/{namespace}"

    def collect(self) -> list[Sample]:
        """Read them; a page that can't be read costs all."""
        session = self._source.session()
        phases, oldest = self._pods(session)
        samples = [PODS(sum(phase == of for of in phases.values()), phase) for phase in PHASES]
        samples.append(PENDING(0.0 if oldest is None else max(0.0, session.server_time - oldest)))
        quotas = [quota for page in session.pages(f"{self._path}/resourcequotas", JSON) for quota in page]
        return [*samples, *quota_samples(quotas)]

    def _pods(self, session: Session) -> tuple[dict[str, str], float | None]:
        """The phase of each pod by its uid, and when the oldest pending one was made (Unix time)."""
        phases: dict[str, str] = {}
        made: dict[str, float] = {}
        for phase in PHASES:
            for page in session.pages(f"{self._path}/pods", METADATA_ONLY, fieldSelector=f"status.phase={phase}"):
                for pod in page:
                    uid, moment = _facts(pod)
                    phases[uid] = phase
                    made[uid] = moment
        return phases, min((made[uid] for uid, phase in phases.items() if phase == "Pending"), default=None)


def _facts(pod: Mapping[str, Any]) -> tuple[str, float]:
    try:
        metadata = pod["metadata"]
        return str(metadata["uid"]), datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            "Kubernetes lists a pod without uid or time: check the server in EXECUTION_KUBECONFIG"
        ) from error


def quota_samples(quotas: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    """Of each resource that a quota limits: used and limit of the quota that is fullest there."""
    fullest: dict[str, tuple[float, float, float]] = {}
    for quota in quotas:
        status = quota.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        for resource, limit in hard.items():
            most, now = quantity(limit), quantity(used.get(resource))
            if most is None or now is None:  # not counted yet
                continue
            share = now / most if most else 0.0
            if resource not in fullest or share > fullest[resource][0]:
                fullest[resource] = (share, now, most)
    for resource in sorted(fullest)[:MAX_RESOURCES]:
        _, now, most = fullest[resource]
        yield USED(now, resource)
        yield LIMIT(most, resource)


def quantity(text: object) -> float | None:
    """A number of Kubernetes' notation ("500m", "8Gi", "1e3") in its base unit; None where it is none."""
    match = _QUANTITY.fullmatch(str(text)) if text is not None else None
    if match is None:
        return None
    # in decimals: 1900m must be 1.9, as it is compared with a limit
    number = Decimal(match[1])
    if match[2] is not None:
        return float(number * Decimal(10) ** int(match[2]))
    return float(number * _SUFFIXES.get(match[3], 1))
