"""What is too much of dependencies and their circuit breakers."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "notifications_failing_ratio",
        0.1,
        "ratio",
        "Failed over sent and failed alerts of Supercheck in 30 minutes, by kind of channel: above it "
        "NotificationsFailing pages.",
    ),
    Threshold(
        "notifications_failing_min_30m_rows",
        5,
        "rows",
        "From this many alerts of Supercheck in 30 minutes on, the ratio of those that failed counts.",
    ),
    Threshold(
        "dependency_slow_seconds",
        2,
        "seconds",
        "95th percentile of the answered probes of a dependency: above it DependencySlow warns.",
    ),
    Threshold(
        "certificate_warning_seconds",
        14 * 86400,
        "seconds",
        "Time left to a certificate: below it CertificateExpiring warns.",
    ),
    Threshold(
        "certificate_critical_seconds",
        3 * 86400,
        "seconds",
        "Time left to a certificate: below it CertificateExpiring pages.",
    ),
)

ORDER = (("certificate_critical_seconds", "certificate_warning_seconds"),)
"""(the smaller one, the larger one)."""
