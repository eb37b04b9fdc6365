"""The part of ``check`` that probes endpoints and dependencies once."""

from __future__ import annotations

from supercheck_exporter.core import SourceError
from supercheck_exporter.settings import Settings
from supercheck_exporter.site import Site

SETTING = {
    "app": "SUPERCHECK_APP_URL",
    "worker": "SUPERCHECK_WORKER_URL",
    "s3": "S3_ENDPOINT",
    "smtp": "SMTP_HOST, SMTP_PORT, SMTP_SECURE",
}


def check_endpoints(settings: Settings, problems: list[str], notes: list[str]) -> None:
    """One probe of each endpoint; what answers and is not well is a note, since nothing is wrong with the settings."""
    for watch in Site(settings).endpoints:
        setting = SETTING.get(watch.name, "ENDPOINTS")
        try:
            finding = watch.probe(settings.probe_timeout_seconds)
        except SourceError as error:
            problems.append(f"The endpoint {watch.name} can't be probed: {error} ({setting}).")
        else:
            if finding.problem:
                notes.append(f"The endpoint {watch.name} is {finding.outcome}: {finding.problem}.")


def check_dependencies(settings: Settings, problems: list[str], notes: list[str]) -> None:
    """One probe of each dependency."""
    for watch in Site(settings).dependencies:
        try:
            watch.probe(settings.probe_timeout_seconds)
        except SourceError as error:
            problems.append(f"The dependency {watch.name} fails: {error} ({SETTING.get(watch.name, 'DEPENDENCIES')}).")
