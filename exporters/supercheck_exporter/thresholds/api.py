"""What is too near to a rate limit."""

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
)
