"""What in the logs is worth a look."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "error_log_burst_5m_lines",
        50,
        "lines",
        "Error lines of a service within 5 minutes: above it, and three times the day before, ErrorLogBurst warns.",
    ),
    Threshold(
        "capacity_drift_1h_lines",
        2,
        "lines",
        "Corrections of an organization's capacity counter, as logged in an hour: above it CapacityDriftLogged warns.",
    ),
)
