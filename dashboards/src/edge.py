"""The edge: does the CDN serve, do reports come from the cache, and who is refused."""

from . import links, promql, shared
from .edge_detail import cache_section, cdn_section, limits_section, tiers_section
from .layout import Section, shelf
from .levels import ANY_IS_CRITICAL, NEUTRAL, Levels, Thresholds
from .panels import Doc, one
from .sdk import models
from .spec import Spec

_NO_EDGE = "no edge is watched (EDGE_ACCESS_LOG)"
_MATCHERS = 'component=~"edge|api"'


def _sections(limits: Thresholds) -> list[Section]:
    alerts = shared.alerts_table("Alerts about the edge and rate limits", _MATCHERS)
    return [
        Section("Do pages and reports open?", [shelf(4, *_strip(limits)), shelf(6, alerts)]),
        cache_section(limits),
        cdn_section(),
        tiers_section(limits),
        limits_section(limits),
    ]


def _strip(limits: Thresholds) -> list[models.Panel]:
    up = promql.each("supercheck_cdn_probe_up", "", "target")
    return [
        one(
            "CDN files not served",
            Doc(
                "Sample files of the CDN (CDN_PROBE_URLS) that are not answered in time, or with an error.",
                "0.",
                "'Each file' below names them; the exporter's status page says why.",
            ),
            promql.count_or_zero(f"{up} == 0", up),
            unit="short",
            levels=ANY_IS_CRITICAL,
            no_data="no file is probed (CDN_PROBE_URLS)",
            runbooks=["CdnDown"],
            more=[links.status_page()],
            loud=True,
        ),
        one(
            "Reports from the cache",
            Doc(
                "Of the reports that the edge gave out within the last hour, those for which the app was not asked.",
                "over 90 % on a site that is read; anything where few are read.",
                "'Reports by verdict' below shows what happened to the others.",
            ),
            'max(kind:supercheck_edge_file_hits:ratio_rate1h{kind="report"})',
            unit="percentunit",
            decimals=1,
            levels=limits.below(warning="report_cache_hit_ratio"),
            no_data="no report was asked for within an hour, or no edge is watched",
            runbooks=["ReportCacheHitRatioLow"],
        ),
        one(
            "Static from the cache",
            Doc(
                "Of the static files that the edge sent within the last hour, those for which the app was not asked.",
                "over 95 %; less for a while after a release, when every file has a new name.",
                "see the alert's runbook: a full cache, query strings, or cookies on files.",
            ),
            'max(kind:supercheck_edge_file_hits:ratio_rate1h{kind="static"})',
            unit="percentunit",
            decimals=1,
            levels=limits.below(warning="cdn_hit_ratio"),
            no_data="no static file was asked for within an hour, or no edge is watched",
            runbooks=["CdnHitRatioLow"],
        ),
        one(
            "Cached report in",
            Doc(
                "The time within which 19 of 20 reports from the cache are shown, the app's word on their reader "
                "included.",
                "below 100 ms.",
                "'Time to show a report' below; where static files are quick, it is the app's word that is slow.",
            ),
            promql.known('max(kind:supercheck_edge_file_hits:p95_15m{kind="report"})'),
            unit="s",
            levels=limits.above(warning="report_load_seconds"),
            no_data="no report came from the cache within 15 minutes, or no edge is watched",
            runbooks=["ReportLoadSlow"],
        ),
        one(
            "Refused, worst tier",
            Doc(
                "Of the tier where it is the most: requests that a rate limit answers with 429, over all of them.",
                "below 5 %.",
                "'Refusals' below says which tier and whose limit.",
            ),
            "max(tier:supercheck_edge_refused_requests:ratio_rate5m)",
            unit="percentunit",
            decimals=1,
            levels=limits.above(warning="rate_limited_ratio"),
            no_data=f"no requests within 5 minutes, or {_NO_EDGE}",
            runbooks=["RateLimitedRequestsHigh"],
        ),
        one(
            "Logins locked out",
            Doc(
                "E-mail addresses and IP addresses that can't log in now because of failed logins.",
                "0, now and then one or two.",
                "many at once: somebody tries passwords. See 'Lockouts' below.",
            ),
            "max(supercheck_logins_locked)",
            unit="short",
            decimals=0,
            levels=Levels(NEUTRAL.base),
            no_data="the exporter or Redis does not answer",
            runbooks=["LoginLockouts"],
        ),
    ]


SPEC = Spec(
    uid=links.EDGE,
    title="Supercheck / Edge (cache, CDN, limits)",
    description="Does the CDN serve? Do reports come from the cache? Who is refused, and by which limit?",
    sections=_sections,
    alert_matchers=_MATCHERS,
)
