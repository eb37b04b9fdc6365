"""The grammars that judge LogQL and TraceQL know good ones from bad ones."""

from __future__ import annotations

from contract.query_grammars import filled, problems

GOOD_LOGQL = (
    '{service_name="supercheck-app"} | trace_id = "0123"',
    'sum by (service_name) (count_over_time({service_name=~".+"} | level=~"error|fatal" [$__auto]))',
    'sum by (service_name) (rate({service_name=~".+"} |~ `a "quoted" one` [$__rate_interval])) > 0.5',
    '{${__tags}} | trace_id = "${__trace.traceId}"',
    '{service_name=~"$service"} | json | line_format "{{.msg}}"',
)
BAD_LOGQL = (
    "",
    '{service_name="supercheck-app"',
    '{service_name="a"} | trace_id == == "0123"',
    'sum by (service_name) (count_over_time({service_name=~".+"} [5m])',
    'count_over_time({service_name=~".+"})',
    'rate({service_name="a"}[five])',
)
GOOD_TRACEQL = (
    "{}",
    '{resource.service.name="supercheck-app" && span.http.route="/api/runs" && duration>500ms}',
    "{span.supercheck.repeated_queries>10} | select(span.supercheck.repeated_query)",
    "{status=error} | rate() by (resource.service.name)",
)
BAD_TRACEQL = ("", "{", "{resource.service.name=}", "{duration>500ms} | | rate()", "status=error")


def test_good_queries_are_understood() -> None:
    assert problems("logql", GOOD_LOGQL) == [None] * len(GOOD_LOGQL)
    assert problems("traceql", GOOD_TRACEQL) == [None] * len(GOOD_TRACEQL)


def test_bad_queries_are_refused() -> None:
    assert None not in problems("logql", BAD_LOGQL)
    assert None not in problems("traceql", BAD_TRACEQL)


def test_only_grafana_s_own_variables_are_filled_in() -> None:
    assert filled('{${__tags}} |= "$service" [$__auto]') == '{service_name="supercheck-app"} |= "$service" [5m]'
