"""Dependencies and endpoints: what does not answer, is it us or them, and when does a certificate end."""

from . import links, promql, shared
from .dependencies_detail import answers_section, breakers_section, certificates_section, endpoints_section
from .layout import Section, shelf
from .levels import ANY_IS_CRITICAL, ANY_IS_WARNING, Thresholds
from .notifications import notifications_section
from .panels import Doc, one
from .sdk import models
from .spec import Spec

ALERTS = 'component="dependency"'
NOT_PROBED = "none is set, or the exporter does not answer"
CLOSED = promql.each("supercheck_circuit_breaker_state", 'state="closed"', "dependency")
SLOW = "dependency:supercheck_dependency_probe_seconds:p95_rate10m"
UP = promql.each("supercheck_endpoint_up", "", "endpoint")
DEGRADED = promql.each("supercheck_endpoint_degraded", "", "endpoint")
CERTIFICATES = (
    "min by (endpoint) (supercheck_endpoint_certificate_expiry_timestamp_seconds) or label_replace("
    "min by (dependency) (supercheck_dependency_certificate_expiry_timestamp_seconds), "
    '"endpoint", "$1", "dependency", "(.+)")'
    ' or min by (endpoint) (label_replace(supercheck_vault_certificate_expiry_timestamp_seconds, "endpoint", "$1", '
    '"node", "(.+)"))'
)


def _sections(limits: Thresholds) -> list[Section]:
    alerts = shared.alerts_table("Alerts about dependencies and endpoints", ALERTS)
    return [
        Section("What does not answer?", [shelf(4, *_strip(limits)), shelf(6, alerts)]),
        breakers_section(limits, CLOSED, SLOW),
        answers_section(limits, SLOW),
        endpoints_section(UP, DEGRADED),
        notifications_section(limits),
        certificates_section(limits, f"({CERTIFICATES}) - time()"),
    ]


def _strip(limits: Thresholds) -> list[models.Panel]:
    return [
        one(
            "Breakers not closed",
            Doc(
                "Dependencies whose circuit breaker is open or half-open: S3, the mail server, other services.",
                "0.",
                "the table below names them; the exporter's status page says what is wrong.",
            ),
            promql.count_or_zero(f"{CLOSED} == 0", CLOSED),
            unit="short",
            levels=ANY_IS_WARNING,
            no_data=NOT_PROBED,
            runbooks=["CircuitBreakerOpen"],
            more=[links.status_page()],
            loud=True,
        ),
        one(
            "Endpoints down",
            Doc(
                "Endpoints whose last probe failed: the app, the workers, and what ENDPOINTS names.",
                "0.",
                "the table of endpoints names them; the status page says what they answer.",
            ),
            promql.count_or_zero(f"{UP} == 0", UP),
            unit="short",
            levels=ANY_IS_CRITICAL,
            no_data=NOT_PROBED,
            runbooks=["EndpointDown"],
            more=[links.status_page()],
            loud=True,
        ),
        one(
            "Endpoints degraded",
            Doc(
                "Endpoints that answer and say that a part of them is not well.",
                "0.",
                "'What the app says' and 'Worker replicas' show which part.",
            ),
            promql.count_or_zero(f"{DEGRADED} == 1", DEGRADED),
            unit="short",
            levels=ANY_IS_WARNING,
            no_data=NOT_PROBED,
            runbooks=["EndpointDegraded"],
        ),
        one(
            "Slowest dependency",
            Doc(
                "95th percentile of the probes answered in 10 minutes, of the dependency where it is the most.",
                "well below the orange line.",
                "uploads and messages take as long; look at its times below.",
            ),
            f"max({promql.known(SLOW)})",
            unit="s",
            decimals=2,
            levels=limits.above(warning="dependency_slow_seconds"),
            no_data="none was answered in 10 minutes",
            runbooks=["DependencySlow"],
        ),
        one(
            "Workers ready",
            Doc(
                "Replicas of the worker that call themselves ready.",
                "as many as you run.",
                "'Worker replicas' shows since when some are not.",
            ),
            'max(supercheck_endpoint_replicas{endpoint="worker",state="ready"})',
            unit="short",
            no_data="SUPERCHECK_WORKER_URL is not set, or no name answers",
            runbooks=["EndpointDown"],
        ),
        one(
            "Next certificate ends",
            Doc(
                "Time left to the certificate that ends first, of endpoints, the mail server and Vault.",
                "weeks; those of 90 days are renewed 30 days before their end.",
                "its renewal fails: the table of certificates names it.",
            ),
            f"min(({CERTIFICATES}) - time())",
            unit="s",
            decimals=1,
            levels=limits.below(warning="certificate_warning_seconds", critical="certificate_critical_seconds"),
            no_data="nothing that is probed has one",
            runbooks=["CertificateExpiring"],
        ),
    ]


SPEC = Spec(
    uid=links.DEPENDENCIES,
    title="Supercheck / Dependencies",
    description="What does not answer? Is it us or them? How fast are they? When does a certificate end?",
    sections=_sections,
    alert_matchers=ALERTS,
)
