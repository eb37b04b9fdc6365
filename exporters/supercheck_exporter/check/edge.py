"""The part of ``check`` that tries the edge's log, the report cache and the CDN's sample files."""

from __future__ import annotations

import os

from supercheck_exporter.collectors.report_cache import ReportCacheCollector
from supercheck_exporter.core import SourceError
from supercheck_exporter.edge.verdicts import NONE, verdict
from supercheck_exporter.settings import Settings
from supercheck_exporter.site import Site
from supercheck_exporter.sources.http import HttpError, fetch


def check_edge(settings: Settings, problems: list[str], notes: list[str]) -> None:
    """Try what is set; what is not set is left out."""
    path = settings.edge_access_log
    if path is not None and not path.exists():
        problems.append(f"EDGE_ACCESS_LOG names {path}, which is not there: start the edge, or mount its log.")
    elif path is not None and not (path.is_file() and os.access(path, os.R_OK)):
        problems.append(f"EDGE_ACCESS_LOG names {path}, which is no file that this user can read.")
    if settings.report_cache_redis_url is not None:
        cache = ReportCacheCollector(settings, Site(settings).queues_redis)
        try:
            list(cache.collect())
        except SourceError as error:
            problems.append(f"{error}.")
        finally:
            cache.stop()
    for name, url in settings.cdn_probe_urls.items():
        try:
            answer = fetch(url, deadline=settings.cdn_probe_timeout_seconds)
        except HttpError as error:
            problems.append(f"The sample file {name} of CDN_PROBE_URLS: {error}.")
            continue
        if answer.status >= 400:
            problems.append(
                f"The sample file {name} of CDN_PROBE_URLS is answered {answer.status}: give one that is public."
            )
        elif verdict(answer.headers) == NONE:
            notes.append(f"The sample file {name} of CDN_PROBE_URLS says nothing of a cache: its probes count as none.")
