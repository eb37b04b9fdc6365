"""Whether Supercheck's own alerts reach their readers, by kind of channel.

Source: the table alert_history, to which Supercheck adds a row for each channel of each alert, by one statement on one
short connection; the kind of channel is in notification_providers.

    supercheck_notifications_total{provider="slack",status="failed"} 3.0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from supercheck_exporter.core import Collector, Sample, counter
from supercheck_exporter.sources.postgres import PostgresSource, Row
from supercheck_exporter.watermark import Watermark

PROVIDERS = ("email", "slack", "webhook", "telegram", "discord", "teams")
STATUSES = ("sent", "failed", "pending")
OTHER = "other"
MAX_GAP_SECONDS = 3600

NOTIFICATIONS = counter(
    "supercheck_notifications_total",
    "Alerts that Supercheck sent or failed to send, by kind of channel, since the exporter started and about 10 s "
    "behind; other: the channel was deleted, or its kind is new.",
    "provider",
    "status",
)

# alert_history has the channel's id as text, and no foreign key: a channel that is gone has no type
COUNTED = """
SELECT p.type AS provider, h.status, count(*) AS notifications
FROM alert_history h LEFT JOIN notification_providers p ON p.id::text = h.provider
WHERE h.sent_at > w.since AND h.sent_at <= w.until
GROUP BY 1, 2
"""


class NotificationsCollector(Collector):
    """One statement, by the index on the time of sending."""

    name = "notifications"
    descs = (NOTIFICATIONS,)

    def __init__(self, source: PostgresSource) -> None:
        self._source = source
        self._watermark = Watermark(MAX_GAP_SECONDS)
        self._totals: Counter[tuple[str, str]] = Counter(
            {(provider, status): 0 for provider in (*PROVIDERS, OTHER) for status in STATUSES}
        )

    def collect(self) -> Iterator[Sample]:
        """Count what was added since the last look."""
        with self._source.session() as session:
            look = self._watermark.look(session, COUNTED)
        self._totals.update(counts(self._watermark.take(look)))
        for labels, number in self._totals.items():
            yield NOTIFICATIONS(number, *labels)


def counts(rows: Iterable[Row]) -> Counter[tuple[str, str]]:
    """(provider, status) -> how many; what nobody knows is ``other``, as it must not become a label."""
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        provider = row["provider"] if row["provider"] in PROVIDERS else OTHER
        found[provider, row["status"] if row["status"] in STATUSES else OTHER] += row["notifications"]
    return found
