"""Traces and logs: which service and route is slow or wrong, the traces of it, and what was logged meanwhile."""

from . import links, promql, shared
from .colors import IN, SLOW
from .layout import Section, shelf
from .levels import NEUTRAL, Thresholds
from .panels import Doc, Line, lines, one
from .pipeline import lost
from .sdk import models
from .spec import Spec
from .stores import counted_lines, found_lines, found_traces
from .tables import Label, Value, rows

_ALERTS = (
    "Api(ErrorRate|Latency)High",
    "QueryRepetitionHigh",
    "ErrorLogBurst",
    "CapacityDriftLogged",
    "StackTraceNew",
    "Collector(DroppingData|QueueFilling)",
    "(TelemetryCollector|Loki|Tempo|Jaeger)Down",
)
_MATCHERS = f'alertname=~"{"|".join(_ALERTS)}"'
_NO_SPANS = "no service sends spans (otel-collector/instrumentation)"
_CHOSEN = 'service_name=~"$service",http_route=~"$route"'
_SERVER = f'span_kind="SPAN_KIND_SERVER",{_CHOSEN}'
_WRONG = 'status_code="STATUS_CODE_ERROR"'
_CALLS = "traces_span_metrics_calls_total"
_BUCKET = "traces_span_metrics_duration_seconds_bucket"
_IN = f"sum(rate({_CALLS}[$__rate_interval]))"
_KEPT = "sum(rate(traces_kept_calls_total[$__rate_interval]))"
_SPANS_OF = 'resource.service.name=~"$service"'
_ROUTE_OF = f'{_SPANS_OF} && span.http.route=~"$route"'


def _rate(matchers: str, by: str = "", metric: str = _CALLS) -> str:
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}{{{matchers}}}[$__rate_interval]))"


def _share(matchers: str, by: str = "") -> str:
    """Return what is wrong over all; nothing where there were no requests, and 0 where none of them was wrong."""
    whole = _rate(matchers, by)
    return f"({_rate(f'{matchers},{_WRONG}', by)} or 0 * {whole}) / ({whole} > 0)"


def _quantile(matchers: str, by: str = "", bucket: str = _BUCKET) -> str:
    grouped = promql.join("le", by)
    return promql.known(f"histogram_quantile(0.95, {_rate(matchers, grouped, bucket)})")


def _sections(limits: Thresholds) -> list[Section]:
    return [
        Section(
            "Are requests answered, in time and right?",
            [
                shelf(4, *_strip(limits)),
                shelf(6, shared.alerts_table("Alerts about requests, logs and their pipeline", _MATCHERS)),
            ],
        ),
        Section(
            "Which service, which route?", [shelf(7, *_services()), shelf(8, _routes(), _duration(), widths=(13, 11))]
        ),
        Section(
            "From the slow request to its trace", [shelf(8, _slow(), _wrong()), shelf(7, _repeated(), _repetitions())]
        ),
        Section("To its log lines", [shelf(6, _errors(), _volume()), shelf(10, _newest())]),
        Section("Do traces and log lines get through?", [shelf(6, _queues(limits), _lost())]),
    ]


def _strip(limits: Thresholds) -> list[models.Panel]:
    return [
        one(
            "Requests",
            Doc(
                "Requests a second that the chosen services answer, of all spans, before any is left out.",
                "what the site has at this time of day.",
                "0 while people use the site: does the collector run? See the last row.",
            ),
            _rate(_SERVER),
            unit="reqps",
            no_data=_NO_SPANS,
        ),
        one(
            "Answered with an error",
            Doc(
                "Of the requests now, the share whose span ended with an error.",
                "well below 1 %.",
                "'Routes' below names the route; 'Traces with an error' has one to look at.",
            ),
            _share(_SERVER),
            unit="percentunit",
            decimals=2,
            no_data=_NO_SPANS,
            levels=limits.above(warning="api_error_ratio", critical="api_error_critical_ratio"),
            runbooks=["ApiErrorRateHigh"],
        ),
        one(
            "19 of 20 within",
            Doc(
                "The time within which 19 of 20 requests are answered.",
                "below 200 ms.",
                "'Routes' below, sorted by this time; then 'Slow requests'.",
            ),
            _quantile(_SERVER),
            unit="s",
            no_data=_NO_SPANS,
            levels=limits.above(warning="api_p95_seconds"),
            runbooks=["ApiLatencyHigh"],
        ),
        one(
            "Repeated queries",
            Doc(
                "Requests and jobs a second below which one query was sent more than ten times (N+1).",
                "0.",
                "'Where one query is repeated' below names them, with the query.",
            ),
            'sum(rate(traces_span_metrics_repeated_queries_total{service_name=~"$service"}[$__rate_interval])) '
            f"or 0 * {_rate(_SERVER)}",
            unit="cps",
            runbooks=["QueryRepetitionHigh"],
            decimals=2,
            no_data=_NO_SPANS,
        ),
        one(
            "Fullest queue",
            Doc(
                "What waits on a collector's disk for a store that takes nothing, over the room for it.",
                "0 %.",
                "the store is down or full: 'Targets' on the Observability dashboard says which.",
            ),
            "max(otelcol_exporter_queue_size / (otelcol_exporter_queue_capacity > 0))",
            unit="percentunit",
            decimals=0,
            levels=limits.above(warning="collector_queue_ratio"),
            no_data="no collector is scraped",
            runbooks=["CollectorQueueFilling"],
        ),
        one(
            "Traces kept",
            Doc(
                "Of the spans now, the share whose trace is kept: errors and slow ones always, the rest by "
                "TRACES_KEEP_PERCENT.",
                "the percentage that is set, or somewhat more.",
                "everything is kept anyway? Then it is a small site, or everything is slow.",
            ),
            f"{_KEPT} / ({_IN} > 0)",
            unit="percentunit",
            decimals=0,
            levels=NEUTRAL,
            no_data=_NO_SPANS,
        ),
    ]


def _services() -> list[models.Panel]:
    return [
        lines(
            "Requests by service",
            Doc(
                "Requests a second that each service answers, and jobs that its workers take.",
                "steady, with the site's daily rhythm.",
                "a line that ends: the service is down, or sends no spans any more.",
            ),
            [
                Line(
                    _rate('span_kind=~"SPAN_KIND_(SERVER|CONSUMER)",service_name=~"$service"', "service_name"),
                    "{{service_name}}",
                )
            ],
            unit="reqps",
            no_data=_NO_SPANS,
        ),
        lines(
            "Errors by service",
            Doc(
                "The share of each service's requests and jobs that ended with an error.",
                "near 0.",
                "'Routes' says which, 'Traces with an error' why.",
            ),
            [
                Line(
                    _share('span_kind=~"SPAN_KIND_(SERVER|CONSUMER)",service_name=~"$service"', "service_name"),
                    "{{service_name}}",
                )
            ],
            unit="percentunit",
            soft_max=0.05,
            no_data=_NO_SPANS,
        ),
    ]


def _duration() -> models.Panel:
    kept = "traces_kept_duration_seconds_bucket"
    return lines(
        "Time to answer, with traces",
        Doc(
            "The time within which 19 of 20 of the chosen routes' requests are answered. The points are single "
            "requests whose traces are kept: click one to open its trace.",
            "below 200 ms.",
            "click a high point: Tempo shows where the time went, and its log lines beside it.",
        ),
        [
            Line(_quantile(_SERVER), "all requests", IN),
            Line(_quantile(_SERVER, bucket=kept), "those whose traces are kept", SLOW, exemplars=True),
        ],
        unit="s",
        no_data=_NO_SPANS,
    )


def _routes() -> models.Panel:
    by = "service_name, http_request_method, http_route"
    routed = f'{_SERVER},http_route!=""'
    ranked = f"topk({promql.TABLE_ROWS}, {_quantile(routed, by)})"
    return rows(
        "Routes",
        Doc(
            "Each route: how often it is asked, how often wrong, and the time within which 19 of 20 are answered. "
            "Slowest first. Click a route to see its traces and log lines alone.",
            "below 200 ms, errors near 0.",
            "click the slow or wrong one.",
        ),
        [
            Label("service_name", "Service", [links.service_of_cell()]),
            Label("http_request_method", "Method", width=75),
            Label("http_route", "Route", [links.route_of_cell()]),
        ],
        [
            Value("19 of 20 in", ranked, "s", width=115),
            Value("Requests", f"{_rate(routed, by)} and {ranked}", "reqps", width=90),
            Value("Wrong", f"{_share(routed, by)} and {ranked}", "percentunit", decimals=1, width=75),
        ],
        no_data=_NO_SPANS,
        sort_by="19 of 20 in",
    )


def _slow() -> models.Panel:
    return found_traces(
        "Slow requests",
        Doc(
            "The newest kept traces of the chosen services and routes in which a request took over 500 ms.",
            "none, or the few that are known to be slow.",
            "open one: the longest bar without bars below it is where the time goes.",
        ),
        f"{{{_ROUTE_OF} && kind=server && duration>500ms}}",
        nothing="no kept trace of these routes took that long",
    )


def _wrong() -> models.Panel:
    return found_traces(
        "Traces with an error",
        Doc(
            "The newest traces of the chosen services in which something ended with an error. They are always kept.",
            "none.",
            "open one: the red span has the error, its log lines are one click away.",
        ),
        f"{{{_SPANS_OF} && status=error}}",
        nothing="nothing went wrong",
    )


def _repeated() -> models.Panel:
    return found_traces(
        "Where one query is repeated",
        Doc(
            "The newest kept traces in which one query was sent more than ten times below one span, with the query.",
            "none.",
            "fetch the rows with one query (a join, or `IN (...)`) where the span's code loops over them.",
        ),
        f"{{{_SPANS_OF} && span.supercheck.repeated_queries>10}} "
        "| select(span.supercheck.repeated_query, span.supercheck.repeated_queries)",
        nothing="no kept trace repeats a query",
    )


def _repetitions() -> models.Panel:
    by = "service_name, span_name"
    counted = 'rate(traces_span_metrics_repeated_queries_total{service_name=~"$service"}[$__rate_interval])'
    return lines(
        "Repetitions by request or job",
        Doc(
            "How often a second, by the name of the span below which a query was repeated. Of all spans, kept or not.",
            "nothing, or 0.",
            "the name is the route or the job to look at.",
        ),
        [Line(f"topk({promql.FEW}, sum by ({by}) ({counted}))", "{{service_name}}: {{span_name}}")],
        unit="cps",
        no_data="no query is repeated, or no service sends spans",
    )


def _errors() -> models.Panel:
    return counted_lines(
        "Error lines by service",
        Doc(
            "Log lines of level ERROR or FATAL, by the service that wrote them.",
            "few, and no steps.",
            "read them below; a line with a trace id leads to its trace.",
        ),
        'sum by (service_name) (count_over_time({service_name=~"$service", level=~"ERROR|FATAL"} [$__auto]))',
        "{{service_name}}",
        unit="short",
    )


def _volume() -> models.Panel:
    return counted_lines(
        "Lines by service",
        Doc(
            "All log lines, by the service that wrote them.",
            "steady, with the site's daily rhythm.",
            "a flood: read which line repeats. Nothing: does the log collector run?",
        ),
        # Loki refuses a selector that would match everything, as All does
        'sum by (service_name) (count_over_time({service_name=~".+", service_name=~"$service"} [$__auto]))',
        "{{service_name}}",
        unit="short",
    )


def _newest() -> models.Panel:
    return found_lines(
        "Newest lines worth reading",
        Doc(
            "Warnings and errors of the chosen services, newest first. Open a line for its fields and its trace.",
            "empty, or warnings that are known.",
            "open the line, then its trace: it shows what led to it.",
        ),
        '{service_name=~"$service", level=~"WARN|ERROR|FATAL"}',
    )


def _queues(limits: Thresholds) -> models.Panel:
    return lines(
        "Waiting for a store",
        Doc(
            "What waits on a collector's disk for each store, over the room for it.",
            "0, and a short step while a store restarts.",
            "the store is down, full, or refuses for now; the queue empties by itself when it is back.",
        ),
        [
            Line(
                "max by (exporter) (otelcol_exporter_queue_size / (otelcol_exporter_queue_capacity > 0))",
                "{{exporter}}",
            )
        ],
        unit="percentunit",
        levels=limits.above(warning="collector_queue_ratio"),
        soft_max=0.1,
        no_data="no collector is scraped",
        runbooks=["CollectorQueueFilling"],
    )


def _lost() -> models.Panel:
    return lines(
        "Lost",
        Doc(
            "Spans and log lines a second that a collector could not pass on, could not queue, or refused to take.",
            "0.",
            "the collector's log says why; the runbook what to raise.",
        ),
        [Line(lost("job"), "{{job}}")],
        unit="cps",
        no_data="no collector is scraped",
        runbooks=["CollectorDroppingData"],
    )


SPEC = Spec(
    uid=links.TRACES,
    title="Supercheck / Traces and logs",
    description="Which service and route is slow or wrong? What does its trace say, and what was logged meanwhile?",
    sections=_sections,
    alert_matchers=_MATCHERS,
    variables=("service", "route"),
)
