"""What is too little of a cache, and too slow."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "report_cache_hit_ratio",
        0.9,
        "ratio",
        "Reports that come from the cache over all that are shown: below it ReportCacheHitRatioLow warns.",
    ),
    Threshold(
        "cdn_hit_ratio",
        0.95,
        "ratio",
        "Static files that come from the cache over all that are sent: below it CdnHitRatioLow warns.",
    ),
    Threshold(
        "cache_min_traffic_1h_requests",
        3600,
        "requests",
        "Lookups that a cache must have had within an hour for ReportCacheHitRatioLow and CdnHitRatioLow.",
    ),
    Threshold(
        "report_load_seconds",
        0.1,
        "seconds",
        "95 % of the reports that come from the cache are shown within this: above it ReportLoadSlow warns.",
    ),
    Threshold(
        "report_load_min_hits_15m_requests",
        100,
        "requests",
        "Reports that must have come from the cache within 15 minutes for ReportLoadSlow.",
    ),
)
