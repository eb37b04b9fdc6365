"""The part of ``check`` that tries Kubernetes."""

from __future__ import annotations

from supercheck_exporter.collectors.execution import ExecutionCollector
from supercheck_exporter.core import SourceError
from supercheck_exporter.settings import Settings
from supercheck_exporter.site import Site

NO_QUOTA = (
    "The namespace {} has no ResourceQuota: there is no supercheck_execution_quota_limit, and nothing bounds what "
    "tests take."
)


def check_execution(settings: Settings, problems: list[str], notes: list[str]) -> None:
    """Try what is set."""
    if settings.execution_kubeconfig is None:
        return
    collector = ExecutionCollector(Site(settings).kubernetes, settings.execution_namespace)
    try:
        samples = collector.collect()
    except SourceError as error:
        problems.append(f"{error}.")
        return
    if not any(sample.desc.name == "supercheck_execution_quota_limit" for sample in samples):
        notes.append(NO_QUOTA.format(settings.execution_namespace))
