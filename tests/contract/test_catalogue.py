"""The catalogue of metrics against everything that declares, serves, reads or names a metric."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import supercheck_exporter
from contract.dashboard_facts import foreign_metrics
from contract.dashboard_queries import expressions, metrics_in
from contract.feature_list import BUILT, ROOT, all_of, planned
from contract.rule_files import ALERTS, FOREIGN, RECORDS, metrics_of
from servers.exporter import Exporter
from servers.redis import RedisServer
from supercheck_exporter.catalogue import Entry, catalogue
from supercheck_exporter.collectors import TABLE, missing
from supercheck_exporter.config import load
from supercheck_exporter.core import Desc

ENTRIES = catalogue()
NAMES = {entry.name for entry in ENTRIES}
ENDS = ("_bucket", "_sum", "_count")
RECORDED = {str(rule.data["record"]) for rule in RECORDS}
SERIES = NAMES | {entry.name + end for entry in ENTRIES if entry.type == "histogram" for end in ENDS}
UNITS = ("seconds", "bytes", "ratio", "jobs", "rows", "connections", "dollars", "info")
# a count of what the name says, or a state that is 0 or 1
NO_UNIT = {
    "supercheck_scrape_collector_success",
    "supercheck_queue_paused",
    "supercheck_queue_rate_limited",
    "supercheck_queue_consumers",
    "supercheck_queue_schedules",
    "supercheck_queue_slots",
    "supercheck_queues_dropped",
    "supercheck_workers",
    "supercheck_workers_serving",
    "supercheck_workers_desired",
    "supercheck_organization_day_runs",
    "supercheck_organization_ai_credits_used",
    "supercheck_plan_organizations",
    "supercheck_active_organizations",
    "supercheck_backup_encrypted",
    "supercheck_backup_last_restore_test_success",
    "supercheck_backup_past_retention",
    "supercheck_backup_retained",
    "supercheck_backup_verification_failures",
    "supercheck_redis_node_up",
    "supercheck_redis_keys",
    "supercheck_redis_persistence_enabled",
    "supercheck_redis_eviction_policy_safe",
    "supercheck_redis_clients",
    "supercheck_redis_client_limit",
    "supercheck_redis_cluster_ok",
    "supercheck_redis_cluster_slots",
    "supercheck_redis_cluster_masters",
    "supercheck_redis_cluster_replicas",
    "supercheck_redis_cluster_masters_without_replica",
    "supercheck_redis_cluster_slots_owned",
    "supercheck_pgbouncer_up",
    "supercheck_pgbouncer_client_connection_limit",
    "supercheck_postgres_up",
    "supercheck_postgres_connection_limit",
    "supercheck_postgres_lock_waiters",
    "supercheck_postgres_transaction_id_age",
    "supercheck_postgres_unindexed_foreign_keys",
    "supercheck_postgres_single_row_statements",
    "supercheck_s3_up",
    "supercheck_bucket_state",
    "supercheck_bucket_objects",
    "supercheck_bucket_incomplete_uploads",
    "supercheck_bucket_lifecycle_rules",
    "supercheck_organizations",
    "supercheck_organizations_at_queue_limit",
    "supercheck_organization_running_runs",
    "supercheck_runs",
    "supercheck_phantom_runs",
    "supercheck_monitors",
    "supercheck_monitor_staleness_intervals",
    "supercheck_schedules_expected",
    "supercheck_jobs_overdue",
    "supercheck_location_enabled",
    "supercheck_location_workers",
    "supercheck_location_monitors",
    "supercheck_location_failing_monitors",
    "supercheck_secrets_stored",
    "supercheck_vault_up",
    "supercheck_vault_sealed",
    "supercheck_vault_standby",
    "supercheck_vault_initialized",
    "supercheck_vault_audit_devices",
    "supercheck_vault_secrets",
    "supercheck_vault_secrets_overdue_rotation",
    "supercheck_execution_pods",
    "supercheck_execution_quota_used",
    "supercheck_execution_quota_limit",
    "supercheck_circuit_breaker_state",
    "supercheck_dependency_up",
    "supercheck_endpoint_up",
    "supercheck_endpoint_degraded",
    "supercheck_endpoint_replicas",
    "supercheck_endpoint_check_up",
    "supercheck_cdn_probe_up",
    "supercheck_rate_limit_windows",
    "supercheck_rate_limit_windows_near_limit",
    "supercheck_rate_limit_windows_at_limit",
    "supercheck_logins_locked",
}
# labels beside those of the plan
OWN_LABELS = {"span", "collector", "version", "elsewhere"}
by_name = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)


def descriptors() -> dict[str, Desc]:
    """Every descriptor that stands at the top of a module, whether the catalogue knows it or not."""
    found: dict[str, Desc] = {}
    for module in pkgutil.walk_packages(supercheck_exporter.__path__, "supercheck_exporter."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Desc):
                found[value.name] = value
    return found


def queries() -> Iterator[tuple[str, set[str]]]:
    """Each query of the rules and the dashboards: where it stands, and the metrics that it reads."""
    for rule in [*ALERTS, *RECORDS]:
        yield f"{rule.file} {rule.id}", metrics_of(rule.data["expr"])
    for path in sorted((ROOT / "dashboards").glob("*.json")):
        for where, expr in expressions(json.loads(path.read_text(encoding="utf-8"))):
            yield f"{path.name} {where}", metrics_in(expr)


def test_every_descriptor_is_in_the_catalogue() -> None:
    found = descriptors()
    assert found.keys() == NAMES
    for entry in ENTRIES:
        desc = found[entry.name]
        assert (desc.kind, desc.labels, desc.help) == (entry.type, entry.labels, entry.help), entry.name


def test_the_catalogue_names_each_metric_once() -> None:
    assert len(ENTRIES) == len(NAMES)


@by_name
def test_a_name_is_well_made(entry: Entry) -> None:
    assert re.fullmatch(r"supercheck_[a-z0-9]+(_[a-z0-9]+)*", entry.name)
    assert entry.name.endswith("_total") == (entry.type == "counter")
    # a reader tells an age from a moment by the name alone
    assert "_time_seconds" not in entry.name
    if entry.type == "counter":
        return
    assert entry.name.endswith(UNITS) != (entry.name in NO_UNIT)
    assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|mb|percent)\b", entry.name)


@by_name
def test_labels_are_those_of_the_plan(entry: Entry) -> None:
    lists = [labels for what in planned("metrics").values() for labels in what.values() if labels != "any"]
    assert set(entry.labels) <= {label for labels in lists for label in labels} | OWN_LABELS


@by_name
def test_a_help_text_is_one_sentence_or_two(entry: Entry) -> None:
    assert entry.help[0].isupper()
    assert entry.help.endswith(".")
    assert "|" not in entry.help, "it would break the manual's table"
    assert len(entry.help) < 250


def test_every_metric_that_is_read_is_made_by_somebody() -> None:
    foreign = FOREIGN | set(foreign_metrics())
    unknown = {where: names - SERIES - RECORDED - foreign for where, names in queries()}
    assert {where: names for where, names in unknown.items() if names} == {}


def test_every_metric_is_read_or_says_why_not() -> None:
    """What neither a rule nor a dashboard reads costs its bytes for nothing."""
    read = {name for _, names in queries() for name in names}
    unread = {name for name in NAMES if not {name, *(name + end for end in ENDS)} & read}
    assert unread <= set(all_of("metrics", [feature for feature in BUILT if "no_dashboard" in feature]))


def documents() -> list[Path]:
    """Every Markdown file of the repository."""
    skipped = {"node_modules", ".venv", ".cache", "artifacts"}
    return [path for path in sorted(ROOT.rglob("*.md")) if not skipped & set(path.relative_to(ROOT).parts)]


def test_every_metric_that_a_document_names_exists() -> None:
    planned_too = set(planned("metrics"))
    wrong = {}
    for path in documents():
        text = path.read_text(encoding="utf-8")
        words = re.findall(r"(?<![\w:/.-])(?:\w+:)?supercheck_[a-z0-9_]*[a-z0-9](?::\w+)?(?![\w:/.*-])", text)
        unknown = {*words} - {"supercheck_exporter"} - SERIES - RECORDED - planned_too
        # the beginning of some names, as a command greps for them
        unknown = {word for word in unknown if not any(name.startswith(f"{word}_") for name in NAMES)}
        if unknown:
            wrong[path.relative_to(ROOT).as_posix()] = unknown
    assert wrong == {}


def test_the_page_of_a_running_exporter_is_the_catalogue() -> None:
    """Nothing is served that the catalogue does not know, and of each collector something is."""
    with RedisServer() as server:
        server.client().hset("bull:seen:meta", "version", "bullmq:5.81.3")
        with Exporter(server.exporter_env()) as exporter:
            samples = exporter.wait_value(0, "supercheck_queue_added_jobs_total", queue="k6-global")
    served = {name for name in samples.names if not name.startswith("process_")}
    assert served <= NAMES
    settings = load(server.exporter_env())
    running = {"(every)", *(name for name in TABLE if not missing(name, settings))}
    assert {entry.collector for entry in ENTRIES if entry.name in served} == running


def test_a_metric_is_found_in_each_kind_of_query() -> None:
    expr = 'sum by (queue) (rate(a_total{queue=~"b.*"}[5m] offset 1h)) / on (queue) group_left c:d_e:f > bool 1 # no_g'
    assert metrics_of(expr) == {"a_total", "c:d_e:f"}
    assert metrics_in(expr.partition("#")[0]) == {"a_total", "c:d_e:f"}
    assert metrics_of("histogram_quantile(0.5, max by (le) (rate(a_bucket[5m])))") == {"a_bucket"}
    assert metrics_of("a unless on () b == 1 or vector(1)") == {"a", "b"}
