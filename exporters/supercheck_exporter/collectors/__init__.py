"""One file a thing measured; this is the table of them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supercheck_exporter.collectors.analytics import AnalyticsCollector
from supercheck_exporter.collectors.backups import BackupsCollector
from supercheck_exporter.collectors.cdn import CdnCollector
from supercheck_exporter.collectors.dependencies import DependenciesCollector
from supercheck_exporter.collectors.edge import EdgeCollector
from supercheck_exporter.collectors.endpoints import EndpointsCollector
from supercheck_exporter.collectors.execution import ExecutionCollector
from supercheck_exporter.collectors.monitors import MonitorsCollector
from supercheck_exporter.collectors.notifications import NotificationsCollector
from supercheck_exporter.collectors.organization_capacity import OrganizationCapacityCollector
from supercheck_exporter.collectors.pgbouncer import PgBouncerCollector
from supercheck_exporter.collectors.postgres import PostgresCollector
from supercheck_exporter.collectors.postgres_statements import PostgresStatementsCollector
from supercheck_exporter.collectors.queue_events import QueueEventsCollector
from supercheck_exporter.collectors.queues import QueuesCollector
from supercheck_exporter.collectors.rate_limits import RateLimitsCollector
from supercheck_exporter.collectors.redis import RedisCollector
from supercheck_exporter.collectors.report_cache import ReportCacheCollector
from supercheck_exporter.collectors.s3 import S3Collector
from supercheck_exporter.collectors.s3_lifecycle import S3LifecycleCollector
from supercheck_exporter.collectors.stored_secrets import StoredSecretsCollector
from supercheck_exporter.collectors.vault import VaultCollector
from supercheck_exporter.collectors.workers import WorkersCollector
from supercheck_exporter.core import Collector
from supercheck_exporter.settings import Settings
from supercheck_exporter.site import Site

TABLE: Mapping[str, tuple[type[Collector], Callable[[Site], Collector]]] = {
    "queues": (
        QueuesCollector,
        lambda site: QueuesCollector(site.keyspace, site.clients, site.stalled, site.journals, site.loads),
    ),
    "queue_events": (QueueEventsCollector, lambda site: QueueEventsCollector(site.tail, site.journals)),
    "workers": (
        WorkersCollector,
        lambda site: WorkersCollector(
            site.keyspace, site.clients, site.loads, site.monitors if site.database is not None else None
        ),
    ),
    "redis": (RedisCollector, lambda site: RedisCollector(site.redis)),
    "pgbouncer": (PgBouncerCollector, lambda site: PgBouncerCollector(site.pgbouncer)),
    "postgres": (PostgresCollector, lambda site: PostgresCollector(site.postgres)),
    "postgres_statements": (PostgresStatementsCollector, lambda site: PostgresStatementsCollector(site.postgres)),
    "organization_capacity": (
        OrganizationCapacityCollector,
        lambda site: OrganizationCapacityCollector(
            site.keyspace, site.tail, site.uses, site.admissions, site.standings, site.directory, site.runs
        ),
    ),
    "backups": (BackupsCollector, lambda site: BackupsCollector(site.backups, site.settings.backup_retention_days)),
    "monitors": (MonitorsCollector, lambda site: MonitorsCollector(site.monitors, site.retention)),
    "notifications": (NotificationsCollector, lambda site: NotificationsCollector(site.postgres)),
    "stored_secrets": (StoredSecretsCollector, lambda site: StoredSecretsCollector(site.postgres)),
    "execution": (
        ExecutionCollector,
        lambda site: ExecutionCollector(site.kubernetes, site.settings.execution_namespace),
    ),
    "vault": (VaultCollector, lambda site: VaultCollector(site.vault, site.secret_ages)),
    "s3": (S3Collector, lambda site: S3Collector(site.storage)),
    "s3_lifecycle": (S3LifecycleCollector, lambda site: S3LifecycleCollector(site.storage)),
    "endpoints": (EndpointsCollector, lambda site: EndpointsCollector(site.endpoints, site.endpoint_prober)),
    "dependencies": (
        DependenciesCollector,
        lambda site: DependenciesCollector(site.dependencies, site.dependency_prober),
    ),
    "analytics": (
        AnalyticsCollector,
        lambda site: AnalyticsCollector(site.analytics, site.settings.analytics_top_organizations),
    ),
    "rate_limits": (RateLimitsCollector, lambda site: RateLimitsCollector(site.windows, site.api_keys)),
    "edge": (EdgeCollector, lambda site: EdgeCollector(site.access_log)),
    "report_cache": (ReportCacheCollector, lambda site: ReportCacheCollector(site.settings, site.queues_redis)),
    "cdn": (CdnCollector, lambda site: CdnCollector(site.cdn_probes)),
}
"""Name -> the class (its descriptors are the catalogue) and how it is made for a site."""

_DATABASE = "EXPORTER_DATABASE_URL"
_BACKUPS = "S3_BACKUP_BUCKET_NAME"
_ENDPOINTS = "SUPERCHECK_APP_URL, SUPERCHECK_WORKER_URL or ENDPOINTS"
_DEPENDENCIES = "S3_ENDPOINT, SMTP_HOST or DEPENDENCIES"
NEEDS: Mapping[str, tuple[str, ...]] = {
    "pgbouncer": ("PGBOUNCER_URL",),
    "postgres": (_DATABASE,),
    "postgres_statements": (_DATABASE,),
    "monitors": (_DATABASE,),
    "notifications": (_DATABASE,),
    "stored_secrets": (_DATABASE,),
    "execution": ("EXECUTION_KUBECONFIG",),
    "vault": ("VAULT_ADDRS",),
    "backups": (_BACKUPS,),
    "s3": ("S3_ENDPOINT",),
    "s3_lifecycle": ("S3_ENDPOINT",),
    "endpoints": (_ENDPOINTS,),
    "dependencies": (_DEPENDENCIES,),
    "analytics": (_DATABASE,),
    "edge": ("EDGE_ACCESS_LOG",),
    "report_cache": ("REPORT_CACHE_REDIS_URL",),
    "cdn": ("CDN_PROBE_URLS",),
}
"""Name -> the settings that name its sources; REDIS_HOST where nothing stands here."""


def missing(name: str, settings: Settings) -> list[str]:
    """The settings without which this collector has no source; a collector without its source is not registered."""
    return [setting for setting in NEEDS.get(name, ("REDIS_HOST",)) if not _is_set(setting, settings)]


def _is_set(setting: str, settings: Settings) -> bool:
    if setting == _DATABASE:  # or Supercheck's own name for it
        return settings.database is not None
    if setting == _BACKUPS:  # or pgBackRest's
        return bool(settings.s3_backup_bucket_name or settings.backup_pgbackrest_info_file)
    if setting == _DEPENDENCIES:
        return bool(settings.s3_endpoint or settings.smtp_host or settings.named_dependencies)
    if setting == _ENDPOINTS:
        return settings.any_endpoint
    return bool(getattr(settings, setting.lower()))
