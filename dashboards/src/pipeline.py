"""Of the collectors: what is lost, in a form that dashboards share."""

_LOST = (
    "otelcol_exporter_send_failed_spans",
    "otelcol_exporter_send_failed_log_records",
    "otelcol_exporter_enqueue_failed_spans",
    "otelcol_exporter_enqueue_failed_log_records",
    "otelcol_receiver_refused_spans",
    "otelcol_receiver_refused_log_records",
)


def lost(by: str) -> str:
    """Return the spans and log lines a second that are not passed on, not queued, or not taken.

    The counters of the first four appear with their first loss; the last two are there from the first span or line on.
    """
    parts = [f'label_replace(rate({name}[$__rate_interval]), "counter", "{name}", "", "")' for name in _LOST]
    return f"sum by ({by}) ({' or '.join(parts)})"
