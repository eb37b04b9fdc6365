"""The edge, the details: what the cache does, what the CDN says, requests by tier, and the app's own limits."""

from . import promql
from .colors import IN, LIMIT, OUT, SLOW, WARNING
from .layout import Section, shelf
from .levels import GREEN, PLAIN, RED, Thresholds, states
from .panels import Doc, Line, lines
from .sdk import models
from .tables import Label, Value, rows

_NO_EDGE = "no edge is watched (EDGE_ACCESS_LOG)"
_NO_PROBES = "no file is probed (CDN_PROBE_URLS)"
_TIERS = {"public": LIMIT, "authenticated": IN, "admin": SLOW}


def cache_section(limits: Thresholds) -> Section:
    """Return the section about what comes from the cache."""
    return Section(
        "Does it come from the cache?",
        [shelf(8, _ratio(limits), _verdicts(), _load(limits)), shelf(7, _redis_ratio(limits), _redis_room())],
    )


def cdn_section() -> Section:
    """Return the section about the CDN's sample files."""
    return Section("Does the CDN serve?", [shelf(8, _files(), _probe_time(), widths=(10, 14))])


def tiers_section(limits: Thresholds) -> Section:
    """Return the section about requests and refusals at the edge."""
    return Section("Who asks, and who is refused?", [shelf(8, _requests(), _refused(limits), _whose(), _codes())])


def limits_section(limits: Thresholds) -> Section:
    """Return the section about what the app limits itself."""
    return Section(
        "How near are the app's own limits?", [shelf(9, _limiters(limits), _lockouts(limits), widths=(15, 9))]
    )


def _ratio(limits: Thresholds) -> models.Panel:
    return lines(
        "From the cache",
        Doc(
            "Of the files that the edge gave out in the hour before, those for which the app was not asked. Dashed: "
            "the "
            "threshold for reports.",
            "reports over 90 %, static files over 95 %, where there is traffic.",
            "a dip after a release passes; a slow fall: the cache is too small.",
        ),
        [
            Line('max(kind:supercheck_edge_file_hits:ratio_rate1h{kind="report"})', "reports", IN),
            Line('max(kind:supercheck_edge_file_hits:ratio_rate1h{kind="static"})', "static files", OUT),
        ],
        unit="percentunit",
        no_data=_NO_EDGE,
        soft_max=1,
        levels=limits.below(warning="report_cache_hit_ratio"),
        runbooks=["ReportCacheHitRatioLow", "CdnHitRatioLow"],
    )


def _verdicts() -> models.Panel:
    each = 'max by (cache) (rate(supercheck_edge_file_seconds_count{kind="report"}[$__rate_interval]))'
    return lines(
        "Reports by verdict",
        Doc(
            "Reports that the edge gave out, a second, by what its cache said. none: the app let the reader see it, "
            "and the "
            "edge could not tell by itself. expired: mostly reports of tests, which are kept for 5 minutes.",
            "mostly hit.",
            "much miss: seen for the first time, or thrown out of a full cache. Much none: readers in another project.",
        ),
        [Line(each, "{{cache}}")],
        unit="reqps",
        stacked=True,
        no_data=_NO_EDGE,
        runbooks=["ReportCacheHitRatioLow"],
    )


def _load(limits: Thresholds) -> models.Panel:
    def quantile(cache: str, kind: str = "report") -> str:
        bucket = f'supercheck_edge_file_seconds_bucket{{kind="{kind}",cache="{cache}"}}'
        return promql.known(f"histogram_quantile(0.95, max by (le) (rate({bucket}[$__rate_interval])))")

    return lines(
        "Time to show a report",
        Doc(
            "The time within which 19 of 20 are shown: reports from the cache, reports that were fetched, and static "
            "files "
            "from the cache, for which the app is not asked; beside them any request to the app, by its spans. Dashed: "
            "ReportLoadSlow's threshold.",
            "from the cache below 100 ms; fetched, what the object store takes.",
            "reports slow and static files quick: the app's word is slow. Both slow: the edge itself.",
        ),
        [
            Line(quantile("hit"), "report, from the cache", IN),
            Line(quantile("miss"), "report, fetched", SLOW),
            Line(quantile("hit", "static"), "static file, from the cache", OUT),
            Line("max(service:supercheck_span_request_seconds:p95_5m)", "any request, by the app's spans", LIMIT),
        ],
        unit="s",
        no_data=_NO_EDGE,
        levels=limits.above(warning="report_load_seconds"),
        runbooks=["ReportLoadSlow", "ApiLatencyHigh"],
    )


def _redis_ratio(limits: Thresholds) -> models.Panel:
    lookups = "(max(rate(supercheck_report_cache_requests_total[$__rate_interval])) > 0)"
    dropped = "max(rate(supercheck_report_cache_evictions_total[$__rate_interval]))"
    return lines(
        "Found in the report cache (Redis)",
        Doc(
            "Of the lookups in the Redis of REPORT_CACHE_REDIS_URL in the hour before, those that found their report; "
            "and "
            "for each lookup, the reports that it gave up early because it was full.",
            "over 90 % found, where a site has such a cache. Supercheck 1.3.5 has none of its own.",
            "many dropped and few found: raise its maxmemory.",
        ),
        [
            Line("max(site:supercheck_report_cache_hits:ratio_rate1h)", "found", IN),
            Line(f"{dropped} / {lookups}", "dropped", WARNING),
        ],
        unit="percentunit",
        no_data="no report cache (REPORT_CACHE_REDIS_URL)",
        soft_max=1,
        levels=limits.below(warning="report_cache_hit_ratio"),
        runbooks=["ReportCacheHitRatioLow"],
    )


def _redis_room() -> models.Panel:
    return lines(
        "Memory of the report cache (Redis)",
        Doc(
            "Memory that the cache has allocated.",
            "rises to its maxmemory, and stays there: full is what a cache may be.",
            "a fall to near 0: it was restarted or flushed, and fills again.",
        ),
        [Line("max(supercheck_report_cache_bytes)", "memory", IN)],
        unit="bytes",
        no_data="no report cache (REPORT_CACHE_REDIS_URL)",
        runbooks=["ReportCacheHitRatioLow"],
    )


def _files() -> models.Panel:
    by = "max by (target)"
    return rows(
        "Each file",
        Doc(
            "The sample files of CDN_PROBE_URLS, as the exporter's own probes see them. No ratio is made of these: a "
            "probe "
            "warms the cache that it asks.",
            "all up.",
            "the exporter's status page says why one is not.",
        ),
        [Label("target", "File")],
        [
            Value(
                "Served",
                f"{by} (supercheck_cdn_probe_up)",
                "short",
                mappings=[states({"0": ("DOWN", RED), "1": ("up", GREEN)})],
                width=90,
            ),
            Value("Age", f"{by} (supercheck_cdn_object_age_seconds)", "s", absent="not said"),
        ],
        no_data=_NO_PROBES,
        sort_by="Served",
        descending=False,
        runbooks=["CdnDown"],
    )


def _probe_time() -> models.Panel:
    bucket = "rate(supercheck_cdn_probe_seconds_bucket[$__rate_interval])"
    return lines(
        "Time of a probe",
        Doc(
            "The time within which 19 of 20 probes of each file were answered whole, by what the nearest cache said, "
            "over 10 "
            "minutes.",
            "from a cache: some tens of milliseconds from where the exporter runs.",
            "a rise in all: the network or the CDN; in those that miss only: the origin behind it.",
        ),
        [
            Line(
                promql.known(f"histogram_quantile(0.95, max by (target, cache, le) ({bucket}))"),
                "{{target}}: {{cache}}",
            )
        ],
        unit="s",
        many=True,
        no_data=_NO_PROBES,
        runbooks=["CdnDown"],
    )


def _requests() -> models.Panel:
    return lines(
        "Requests by tier",
        Doc(
            "Requests a second at the edge. public: no session or token that the app knows. admin: signed in, below "
            "/api/admin/. Beside them, by the app's spans, those that sent one query over ten times.",
            "follows the working day.",
            "public alone high: a crawler or an attack. All public: the app does not answer who people are.",
        ),
        [
            Line(f'max(tier:supercheck_edge_requests:rate5m{{tier="{tier}"}})', tier, color)
            for tier, color in _TIERS.items()
        ]
        + [Line("sum(service:supercheck_span_repeated_queries:increase15m) / 900", "repeat a query (N+1)", WARNING)],
        unit="reqps",
        no_data=_NO_EDGE,
        runbooks=["RateLimitedRequestsHigh", "QueryRepetitionHigh"],
    )


def _refused(limits: Thresholds) -> models.Panel:
    ratio = "tier:supercheck_edge_refused_requests:ratio_rate5m"
    return lines(
        "Refused by a rate limit",
        Doc(
            "Requests that a rate limit answers with 429 over all of their tier. A full capacity is not among them. "
            "Dashed: "
            "the threshold of RateLimitedRequestsHigh.",
            "0.",
            "the runbook says how to find whose requests these are.",
        ),
        [Line(f'max({ratio}{{tier="{tier}"}})', tier, color) for tier, color in _TIERS.items()],
        unit="percentunit",
        no_data=f"no requests, or {_NO_EDGE}",
        soft_max=0.1,
        levels=limits.above(warning="rate_limited_ratio"),
        runbooks=["RateLimitedRequestsHigh"],
    )


def _whose() -> models.Panel:
    def kind(name: str) -> str:
        counter = f'supercheck_edge_refused_requests_total{{kind="{name}"}}'
        return f"60 * sum(max by (tier, kind) (rate({counter}[$__rate_interval])))"

    return lines(
        "Refusals, by whose they are",
        Doc(
            "Answers 429 a minute: of the edge's tiers, of the app's own limits, and those that mean that an "
            "organization's "
            "capacity is full.",
            "0.",
            "capacity: see the Capacity dashboard. app: the limits below. tier: the access log names the address.",
        ),
        [
            Line(kind("tier"), "the edge's tier", WARNING),
            Line(kind("app"), "a limit of the app", SLOW),
            Line(kind("capacity"), "capacity full", LIMIT),
        ],
        unit="short",
        stacked=True,
        no_data=_NO_EDGE,
        soft_max=5,
        runbooks=["RateLimitedRequestsHigh"],
    )


def _codes() -> models.Panel:
    def answers(codes: str) -> str:
        counter = f'supercheck_edge_requests_total{{code=~"{codes}"}}'
        return f"sum(max by (tier, cache, code) (rate({counter}[$__rate_interval])))"

    failed = "sum(service:supercheck_span_failed_requests:ratio_rate5m * service:supercheck_span_requests:rate5m)"
    return lines(
        "Answers that are errors",
        Doc(
            "Answers a second with a status of 400 or more: refused for lack of a right (401, 403), the caller's other "
            "mistakes, and the app's failures (5xx).",
            "some 401 and 403, no 5xx.",
            "5xx: the app or what stands behind it. Many 401 and 403: somebody tries keys or other people's reports.",
        ),
        [
            Line(answers("401|403"), "no right", LIMIT),
            Line(answers("400|404|405|408|409|410|413|422|429|499|4xx"), "other 4xx", WARNING),
            Line(answers("5.."), "5xx", SLOW),
            Line(failed, "failed, by the app's spans", OUT),
        ],
        unit="reqps",
        no_data=_NO_EDGE,
        soft_max=1,
        runbooks=["ApiErrorRateHigh"],
    )


def _limiters(limits: Thresholds) -> models.Panel:
    def each(metric: str) -> str:
        return promql.each(f"supercheck_rate_limit_{metric}", "", "limiter")

    near = limits.above(warning="rate_limit_near_ratio")
    return rows(
        "The app's limits",
        Doc(
            "Windows that are in use now (users, keys, addresses; nobody is named), how many are near their limit or "
            "at it, "
            "and how full the fullest is. AI's limits depend on the plan: RATE_LIMITS can tell them.",
            "nobody at a limit.",
            "see the runbook; one at api_key is mostly a pipeline that triggers in a loop.",
        ),
        [Label("limiter", "Limit")],
        [
            Value("Fullest", each("hottest_ratio"), "percentunit", decimals=0, levels=near, absent="limit not known"),
            Value("In use", each("windows"), "short", decimals=0),
            Value("Near", each("windows_near_limit"), "short", decimals=0, absent=" "),
            Value("At limit", each("windows_at_limit"), "short", decimals=0, absent=" "),
        ],
        no_data="the exporter or Redis does not answer",
        sort_by="Fullest",
        runbooks=["RateLimitNear"],
    )


def _lockouts(limits: Thresholds) -> models.Panel:
    return lines(
        "Lockouts",
        Doc(
            "Times in the 15 minutes before that an e-mail address or an IP address was locked out after failed "
            "logins. "
            "Dashed: the threshold of LoginLockouts.",
            "a few a day.",
            "many: somebody tries passwords. The runbook says how to see who and from where.",
        ),
        [Line("max(site:supercheck_login_lockouts:increase15m)", "lockouts", PLAIN)],
        unit="short",
        decimals=0,
        no_data="the exporter or Redis does not answer",
        soft_max=12,
        levels=limits.above(warning="login_lockouts_15m_lockouts"),
        runbooks=["LoginLockouts"],
    )
