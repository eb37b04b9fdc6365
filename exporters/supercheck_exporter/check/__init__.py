"""``supercheck-exporter check``: tries each source and says every problem at once, with how to mend it.

One module a source. Each has a function that tries what is set, leaves out what is not, and adds to two lists:
problems, which must be mended, and notes on what is missing but bearable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supercheck_exporter import alertmanager
from supercheck_exporter.check.backups import check_backups
from supercheck_exporter.check.databases import check_databases
from supercheck_exporter.check.edge import check_edge
from supercheck_exporter.check.execution import check_execution
from supercheck_exporter.check.probes import check_dependencies, check_endpoints
from supercheck_exporter.check.redis import check_redis
from supercheck_exporter.check.storage import check_storage
from supercheck_exporter.check.vault import check_vault
from supercheck_exporter.collectors import TABLE, missing
from supercheck_exporter.config import ConfigError, load
from supercheck_exporter.settings import Settings

NO_SOURCE = (
    "REDIS_HOST is not set: set it to the host of the Redis that Supercheck uses "
    "(or watch something else alone: EXPORTER_DATABASE_URL, PGBOUNCER_URL, S3_ENDPOINT)."
)

CHECKS: tuple[Callable[[Settings, list[str], list[str]], None], ...] = (
    check_redis,
    check_databases,
    check_storage,
    check_vault,
    check_execution,
    check_backups,
    check_endpoints,
    check_dependencies,
    check_edge,
)


def check(env: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Problems that must be mended, and notes on what is missing but bearable."""
    problems: list[str] = []
    notes: list[str] = []
    try:
        problems += alertmanager.plan(env).problems
    except ValueError as error:
        problems.append(str(error))
    try:
        settings = load(env)
    except ConfigError as error:
        return [*error.problems, *problems], notes
    if all(missing(name, settings) for name in TABLE):
        problems.append(NO_SOURCE)
    for try_source in CHECKS:
        try_source(settings, problems, notes)
    return problems, notes
