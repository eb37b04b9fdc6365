"""Circuit breakers one by one, the times of their dependencies, the endpoints, and certificates."""

from . import promql
from .layout import Section, shelf
from .levels import GREEN, ORANGE, RED, Thresholds, states
from .panels import Doc, Line, lines
from .sdk import models
from .tables import Label, Value, rows

_NOT_PROBED = "none is set, or the exporter does not answer"
_BREAKER = states({"0": ("not closed", RED), "1": ("closed", GREEN)})
_UP = states({"0": ("down", RED), "1": ("up", GREEN)})
_DEGRADED = states({"0": ("no", GREEN), "1": ("yes", ORANGE)})


def breakers_section(limits: Thresholds, closed: str, slow: str) -> Section:
    """Return the section on circuit breakers."""
    return Section(
        "Circuit breakers",
        [shelf(8, _breakers(limits, closed, slow), _not_closed(), widths=[14, 10]), shelf(8, _changes(), _rejected())],
    )


def _breakers(limits: Thresholds, closed: str, slow: str) -> models.Panel:
    transitions = "supercheck_circuit_breaker_transitions_total"
    seconds = "supercheck_circuit_breaker_state_seconds_total"
    return rows(
        "Dependencies",
        Doc(
            "Each dependency: its breaker now, its last probe, and how it did since the exporter started.",
            "closed, up, and no openings.",
            "not closed: it does not answer. Up and slow: soon it will not.",
        ),
        [Label("dependency", "Dependency", width=130)],
        [
            Value("Breaker", closed, "short", mappings=[_BREAKER]),
            Value("Last probe", promql.each("supercheck_dependency_up", "", "dependency"), "short", mappings=[_UP]),
            Value(
                "p95",
                promql.known(f"max by (dependency) ({slow})"),
                "s",
                limits.above(warning="dependency_slow_seconds"),
                decimals=2,
            ),
            Value("Openings", f'max by (dependency) ({transitions}{{from="closed"}})', "short", decimals=0),
            Value(
                "Not closed",
                f'max by (dependency) (sum without (state) ({seconds}{{state!="closed"}}) '
                f"/ sum without (state) ({seconds}))",
                "percentunit",
                decimals=2,
            ),
        ],
        no_data=_NOT_PROBED,
        sort_by="Not closed",
        runbooks=["CircuitBreakerOpen", "DependencySlow"],
    )


def _not_closed() -> models.Panel:
    state = "supercheck_circuit_breaker_state"
    return lines(
        "Not closed",
        Doc(
            "1 while a breaker is open or half-open, for each dependency.",
            "no line above 0.",
            "several at once: it is this site's way out, or its DNS. One alone: it is them.",
        ),
        [Line("1 - " + promql.each(state, 'state="closed"', "dependency"), "{{dependency}}")],
        unit="short",
        decimals=0,
        soft_max=1,
        no_data=_NOT_PROBED,
        runbooks=["CircuitBreakerOpen"],
    )


def _changes() -> models.Panel:
    changes = 'supercheck_circuit_breaker_transitions_total{from="closed"}'
    return lines(
        "Openings",
        Doc(
            "How often each breaker opened from closed, per interval; openings between two scrapes are in it.",
            "none.",
            "again and again: CircuitBreakerFlapping. Its dependency fails for seconds at a time.",
        ),
        [Line(f"max by (dependency) (increase({changes}[$__rate_interval]))", "{{dependency}}")],
        unit="short",
        decimals=0,
        no_data=_NOT_PROBED,
        runbooks=["CircuitBreakerFlapping"],
    )


def _rejected() -> models.Panel:
    rejected = "supercheck_circuit_breaker_rejected_total"
    return lines(
        "Calls held back",
        Doc(
            "Questions of gateways and apps at /breakers that were answered with open or half-open, a second.",
            "none while all breakers are closed, and none where nobody asks.",
            "it is what the breaker is for; the callers answer with what they have.",
        ),
        [Line(f"max by (dependency) (rate({rejected}[$__rate_interval]))", "{{dependency}}")],
        unit="reqps",
        no_data=_NOT_PROBED,
        soft_max=1,
        runbooks=["CircuitBreakerOpen"],
    )


def answers_section(limits: Thresholds, slow: str) -> Section:
    """Return the section on how fast dependencies answer."""
    buckets = "supercheck_dependency_probe_seconds"
    mean = f"max by (dependency) (rate({buckets}_sum[$__rate_interval]) / rate({buckets}_count[$__rate_interval]))"
    return Section(
        "How fast do dependencies answer?",
        [
            shelf(
                8,
                lines(
                    "95th percentile",
                    Doc(
                        "Of the probes that were answered in 10 minutes; each is a small request with its connection.",
                        "flat, and well below the line.",
                        "above it for 10 minutes: DependencySlow. Its cause is the way there, or they are overloaded.",
                    ),
                    [Line(promql.known(f"max by (dependency) ({slow})"), "{{dependency}}")],
                    unit="s",
                    levels=limits.above(warning="dependency_slow_seconds"),
                    no_data="none was answered in 10 minutes",
                    runbooks=["DependencySlow"],
                ),
                lines(
                    "Mean",
                    Doc(
                        "Mean time of the probes that were answered.",
                        "close to the 95th percentile.",
                        "far below it: a few are very slow, as behind a load balancer with one bad server.",
                    ),
                    [Line(promql.known(mean), "{{dependency}}")],
                    unit="s",
                    no_data="none was answered",
                    runbooks=["DependencySlow"],
                ),
            )
        ],
    )


def endpoints_section(up: str, degraded: str) -> Section:
    """Return the section on the app, the workers and other endpoints."""
    probes = "supercheck_endpoint_probes_total"
    seconds = "supercheck_endpoint_seconds"
    p95 = f"histogram_quantile(0.95, max by (endpoint, le) (rate({seconds}_bucket[$__rate_interval])))"
    table = rows(
        "Endpoints",
        Doc(
            "Each endpoint: its last probe, and the share of its probes that were answered since the exporter started.",
            "up, not degraded, 100 %.",
            "down: the status page says what it answers. Degraded: a part of it is not well.",
        ),
        [Label("endpoint", "Endpoint", width=130)],
        [
            Value("Now", up, "short", mappings=[_UP]),
            Value("Degraded", degraded, "short", mappings=[_DEGRADED]),
            Value(
                "Answered",
                f'max by (endpoint) (sum without (outcome) ({probes}{{outcome!="failed"}}) '
                f"/ (sum without (outcome) ({probes}) > 0))",
                "percentunit",
                decimals=2,
            ),
        ],
        no_data=_NOT_PROBED,
        runbooks=["EndpointDown", "EndpointDegraded"],
    )
    times = lines(
        "Time of a probe, 95th percentile",
        Doc(
            "Of all probes, failed ones too: one that was given up counts with its deadline.",
            "below 0.2 s for the app, which is its target.",
            "the app waits for its database, or has no processor time left.",
        ),
        [Line(promql.known(p95), "{{endpoint}}")],
        unit="s",
        no_data=_NOT_PROBED,
        runbooks=["EndpointDown"],
    )
    checks = lines(
        "What the app says",
        Doc(
            "1 while the app calls its database, Redis or S3 well, 0 while it does not.",
            "1 for each.",
            "the app can't reach it; the exporter's own view of it is on another dashboard.",
        ),
        [Line(promql.each("supercheck_endpoint_check_up", "", "endpoint, dependency"), "{{endpoint}}: {{dependency}}")],
        unit="short",
        decimals=0,
        soft_max=1,
        no_data="SUPERCHECK_APP_URL is not set, or it does not answer",
        runbooks=["EndpointDegraded"],
    )
    replicas = lines(
        "Worker replicas",
        Doc(
            "Addresses that the workers' name has, by whether each calls itself ready.",
            "all ready; after a start one is not for up to a minute.",
            "not ready for long: its log says which of database, Redis and queues it misses.",
        ),
        [Line(promql.each("supercheck_endpoint_replicas", "", "endpoint, state"), "{{endpoint}}: {{state}}")],
        unit="short",
        decimals=0,
        no_data="SUPERCHECK_WORKER_URL is not set, or its name has no address",
        colors={"worker: ready": GREEN, "worker: not_ready": ORANGE},
        runbooks=["EndpointDegraded"],
    )
    return Section("The app, the workers, other endpoints", [shelf(8, table, times), shelf(8, checks, replicas)])


def certificates_section(limits: Thresholds, left: str) -> Section:
    """Return the section on certificates."""
    levels = limits.below(warning="certificate_warning_seconds", critical="certificate_critical_seconds")
    table = rows(
        "Certificates, the next to end first",
        Doc(
            "Time left to each certificate that a probe saw, of endpoints, the mail server and Vault's nodes.",
            "weeks.",
            "its renewal fails. When it ends, clients refuse the connection.",
        ),
        [Label("endpoint", "Shown by", width=200)],
        [Value("Time left", f"min by (endpoint) ({left})", "s", levels, decimals=1)],
        no_data="nothing that is probed has one",
        sort_by="Time left",
        descending=False,
        runbooks=["CertificateExpiring"],
    )
    return Section("Certificates", [shelf(6, table)])
