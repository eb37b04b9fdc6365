"""Every setting of the exporter, one module a source; config.py reads them from the environment."""

from __future__ import annotations

from pydantic import Field

from supercheck_exporter.settings import probes, workers
from supercheck_exporter.settings.analytics import AnalyticsSettings
from supercheck_exporter.settings.backup import BackupSettings
from supercheck_exporter.settings.capacity import CapacitySettings
from supercheck_exporter.settings.database import DatabaseSettings
from supercheck_exporter.settings.dependencies import DependencySettings
from supercheck_exporter.settings.edge import EdgeSettings
from supercheck_exporter.settings.execution import ExecutionSettings
from supercheck_exporter.settings.links import LinkSettings
from supercheck_exporter.settings.probes import ProbeSettings
from supercheck_exporter.settings.queues import QueueSettings
from supercheck_exporter.settings.redis import RedisSettings
from supercheck_exporter.settings.storage import StorageSettings
from supercheck_exporter.settings.traces import TraceSettings
from supercheck_exporter.settings.vault import VaultSettings
from supercheck_exporter.settings.workers import WorkerSettings
from supercheck_exporter.thresholds import default_thresholds

ORDER = (*workers.ORDER, *probes.ORDER)
"""(the smaller one, the larger one): what must not stand the other way round."""


class Settings(
    TraceSettings,
    LinkSettings,
    BackupSettings,
    StorageSettings,
    ExecutionSettings,
    VaultSettings,
    DependencySettings,
    ProbeSettings,
    EdgeSettings,
    WorkerSettings,
    AnalyticsSettings,
    CapacitySettings,
    QueueSettings,
    DatabaseSettings,
    RedisSettings,
):
    """All groups. The manual lists them from the last base to the first."""

    thresholds: dict[str, float] = Field(default_factory=default_thresholds)
    """Every THRESHOLD_ setting (the package thresholds), by name."""
