"""The watched site: its settings and the connections and background readers that collectors share."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from supercheck_exporter.analytics.reader import AnalyticsReader
from supercheck_exporter.backups.reader import BackupReader
from supercheck_exporter.breakers.asking import ObjectStore, Service
from supercheck_exporter.breakers.smtp import MailServer
from supercheck_exporter.breakers.watch import Dependency, DependencyWatch
from supercheck_exporter.bullmq.clients import Clients
from supercheck_exporter.bullmq.events import EventTail
from supercheck_exporter.bullmq.journal import Journals
from supercheck_exporter.bullmq.keyspace import Keyspace
from supercheck_exporter.bullmq.loads import Loads
from supercheck_exporter.bullmq.stalled import StalledJobs
from supercheck_exporter.capacity.admission import Admissions, AdmissionSink
from supercheck_exporter.capacity.directory import Directory
from supercheck_exporter.capacity.runs import RunReader
from supercheck_exporter.capacity.standings import Standings
from supercheck_exporter.capacity.use import UseReader
from supercheck_exporter.edge.access_log import AccessLog
from supercheck_exporter.edge.cdn_probes import CdnProbe
from supercheck_exporter.endpoints.asking import App, Endpoint, GraphQL, Page, Workers
from supercheck_exporter.endpoints.watch import EndpointWatch
from supercheck_exporter.limits.api_keys import ApiKeys
from supercheck_exporter.limits.windows import WindowReader
from supercheck_exporter.monitoring import MonitorReader
from supercheck_exporter.probing.prober import Prober
from supercheck_exporter.retention import RetentionReader
from supercheck_exporter.settings import Settings
from supercheck_exporter.settings.probes import GRAPHQL
from supercheck_exporter.sources.kubernetes import KubernetesSource
from supercheck_exporter.sources.postgres import PostgresSource
from supercheck_exporter.sources.redis import RedisSource
from supercheck_exporter.sources.s3 import S3Source
from supercheck_exporter.sources.vault import VaultSource
from supercheck_exporter.storage.buckets import watched
from supercheck_exporter.storage.readers import Storage
from supercheck_exporter.vault.ages import SecretAges


class Site:
    """Each part is made when a collector first asks for it; nothing connects before that."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.journals = Journals()
        self.loads = Loads()
        self.admissions = Admissions()
        self.clock: Callable[[], float] = time.monotonic

    @cached_property
    def redis(self) -> RedisSource:
        """Redis, where REDIS_HOST is set."""
        return RedisSource(self.settings)

    @property
    def queues_redis(self) -> RedisSource | None:
        """The same, and None where it is not set."""
        return self.redis if self.settings.redis_host is not None else None

    @cached_property
    def postgres(self) -> PostgresSource:
        """PostgreSQL itself, where EXPORTER_DATABASE_URL or DATABASE_URL is set."""
        name, url = self.settings.database or ("", "")
        return PostgresSource(name, url, self.settings.database_timeout_seconds)

    @property
    def database(self) -> PostgresSource | None:
        """The same, and None where neither is set."""
        return self.postgres if self.settings.database is not None else None

    @cached_property
    def pgbouncer(self) -> PostgresSource:
        """PgBouncer's console, where PGBOUNCER_URL is set."""
        url = self.settings.pgbouncer_url
        text = url.get_secret_value() if url else ""
        return PostgresSource("PGBOUNCER_URL", text, self.settings.database_timeout_seconds, pooler=True)

    @cached_property
    def s3(self) -> S3Source:
        """The object store, where S3_ENDPOINT is set."""
        return S3Source(self.settings)

    @cached_property
    def backups(self) -> BackupReader:
        """What lies in the backup bucket, which may be in another object store."""
        store = self.settings.model_copy(update=self.settings.backup_store())
        return BackupReader(self.settings, S3Source(store))

    @cached_property
    def storage(self) -> Storage:
        """What lies in the buckets."""
        return Storage(self.s3, self.settings)

    @cached_property
    def keyspace(self) -> Keyspace:
        """Which queues and heartbeats exist."""
        return Keyspace(self.redis)

    @cached_property
    def clients(self) -> Clients:
        """How many consumers each queue has."""
        return Clients(self.keyspace)

    @cached_property
    def stalled(self) -> StalledJobs:
        """How many jobs of each queue are stalled."""
        return StalledJobs(self.keyspace)

    @cached_property
    def tail(self) -> EventTail:
        """What happens in the queues."""
        return EventTail(self.keyspace, AdmissionSink(self.journals, self.admissions))

    @cached_property
    def uses(self) -> UseReader:
        """What each organization holds of its capacity."""
        return UseReader(self.keyspace, self.admissions)

    @cached_property
    def directory(self) -> Directory | None:
        """Organizations and plans; None where no database is configured."""
        return Directory(self.database) if self.database is not None else None

    @cached_property
    def runs(self) -> RunReader | None:
        """Who runs and how runs end; None where no database is configured."""
        if self.database is None:
            return None
        return RunReader(self.database, self.uses, self.admissions, self.settings.database_read_seconds)

    @cached_property
    def standings(self) -> Standings:
        """Where the organizations stand against their limits."""
        return Standings(self.settings, self.uses, self.directory, self.runs)

    @cached_property
    def monitors(self) -> MonitorReader:
        """Monitors, jobs and results of checks."""
        return MonitorReader(self.postgres, self.settings.database_read_seconds)

    @cached_property
    def retention(self) -> RetentionReader:
        """How many rows are past their retention."""
        return RetentionReader(self.postgres, cloud=self.settings.cloud)

    @cached_property
    def vault(self) -> VaultSource:
        """Vault, where VAULT_ADDRS is set."""
        return VaultSource(self.settings)

    @cached_property
    def secret_ages(self) -> SecretAges:
        """How old the secrets in Vault are."""
        return SecretAges(self.vault)

    @cached_property
    def kubernetes(self) -> KubernetesSource:
        """Where tests run, where EXECUTION_KUBECONFIG is set."""
        return KubernetesSource(self.settings.execution_kubeconfig or "", self.settings.execution_timeout_seconds)

    @cached_property
    def endpoints(self) -> tuple[EndpointWatch, ...]:
        """The app, the workers and what ENDPOINTS names, as far as they are set."""
        settings, ca_file = self.settings, self.settings.probe_ca_file
        found: dict[str, Endpoint] = {}
        if settings.supercheck_app_url:
            found["app"] = App(settings.supercheck_app_url, ca_file)
        if settings.supercheck_worker_url:
            found["worker"] = Workers(settings.supercheck_worker_url, ca_file)
        for name, url in settings.named_endpoints.items():
            speaks_graphql = url.startswith(GRAPHQL)
            url = url.removeprefix(GRAPHQL)
            found[name] = (
                GraphQL(url, ca_file, settings.endpoint_graphql_query) if speaks_graphql else Page(url, ca_file)
            )
        interval, timeout = settings.probe_interval_seconds, settings.probe_timeout_seconds
        return tuple(EndpointWatch(name, endpoint, interval, timeout) for name, endpoint in found.items())

    @cached_property
    def endpoint_prober(self) -> Prober:
        """Probes them."""
        return Prober(self.endpoints)

    @cached_property
    def dependencies(self) -> tuple[DependencyWatch, ...]:
        """The object store, the mail server and what DEPENDENCIES names, as far as they are set."""
        settings, ca_file = self.settings, self.settings.probe_ca_file
        found: dict[str, Dependency] = {}
        buckets = watched(settings)
        if settings.s3_endpoint and buckets:
            found["s3"] = ObjectStore(self.s3, buckets[0].name, settings.s3_ca_file or ca_file)
        if settings.smtp_host:
            found["smtp"] = MailServer(settings.smtp_host, settings.smtp_port, ca_file, secure=settings.smtp_secure)
        found |= {name: Service(url, ca_file) for name, url in settings.named_dependencies.items()}
        interval, timeout = settings.probe_interval_seconds, settings.probe_timeout_seconds
        return tuple(DependencyWatch(name, what, interval, timeout, self.clock) for name, what in found.items())

    @cached_property
    def dependency_prober(self) -> Prober:
        """Probes them."""
        return Prober(self.dependencies, self.clock)

    @cached_property
    def analytics(self) -> AnalyticsReader:
        """What is used, by organization and plan."""
        settings = self.settings
        return AnalyticsReader(self.postgres, settings.analytics_read_seconds, cloud=settings.cloud)

    @cached_property
    def api_keys(self) -> ApiKeys | None:
        """The limits of trigger keys; None where no database is configured."""
        return ApiKeys(self.database) if self.database is not None else None

    @cached_property
    def windows(self) -> WindowReader:
        """How much of each rate limit is used."""
        return WindowReader(self.redis, self.api_keys)

    @cached_property
    def access_log(self) -> AccessLog:
        """What the edge did, where EDGE_ACCESS_LOG is set."""
        return AccessLog(self.settings.edge_access_log or Path())

    @cached_property
    def cdn_probes(self) -> list[CdnProbe]:
        """Probes of the CDN's sample files, where CDN_PROBE_URLS is set."""
        settings = self.settings
        interval, timeout = settings.cdn_probe_interval_seconds, settings.cdn_probe_timeout_seconds
        return [CdnProbe(name, url, interval, timeout) for name, url in settings.cdn_probe_urls.items()]
