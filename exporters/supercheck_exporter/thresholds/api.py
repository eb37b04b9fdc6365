"""What is too near to a rate limit, and what requests should be like."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "rate_limit_near_ratio",
        0.8,
        "ratio",
        "Use over limit of a rate limit's window: above it the window counts as near, and RateLimitNear warns.",
    ),
    Threshold(
        "rate_limited_ratio",
        0.05,
        "ratio",
        "Requests of a tier that are answered 429 over all of it: above it RateLimitedRequestsHigh warns.",
    ),
    Threshold(
        "rate_limited_min_traffic_5m_requests",
        60,
        "requests",
        "Requests that a tier must have had within 5 minutes for RateLimitedRequestsHigh.",
    ),
    Threshold(
        "login_lockouts_15m_lockouts",
        10,
        "lockouts",
        "Lockouts of logins within 15 minutes: above it LoginLockouts warns.",
    ),
    Threshold(
        "api_error_ratio",
        0.05,
        "ratio",
        "Requests that fail over all of a service, by its spans: above it ApiErrorRateHigh warns.",
    ),
    Threshold(
        "api_error_critical_ratio",
        0.5,
        "ratio",
        "The same, above which ApiErrorRateHigh is critical.",
    ),
    Threshold(
        "api_p95_seconds",
        0.5,
        "seconds",
        "95 % of a service's requests are answered within this, by its spans: above it ApiLatencyHigh warns.",
    ),
    Threshold(
        "api_min_traffic_5m_requests",
        30,
        "requests",
        "Requests that a service must have had within 5 minutes for ApiErrorRateHigh and ApiLatencyHigh.",
    ),
    Threshold(
        "query_repetitions_15m_spans",
        20,
        "spans",
        "Spans of a name that repeated a query over ten times in 15 minutes: above it QueryRepetitionHigh warns.",
    ),
)

ORDER = (("api_error_ratio", "api_error_critical_ratio"),)
"""(the smaller one, the larger one)."""
