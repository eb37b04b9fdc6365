"""The readers of the buckets, and what they share."""

from __future__ import annotations

from functools import cached_property

from supercheck_exporter.settings import Settings
from supercheck_exporter.sources.s3 import S3Source
from supercheck_exporter.storage.buckets import watched
from supercheck_exporter.storage.listings import Listings
from supercheck_exporter.storage.probe import Probe
from supercheck_exporter.storage.rules import RulesReader
from supercheck_exporter.storage.states import States


class Storage:
    """The readers of one site, which both collectors share."""

    def __init__(self, source: S3Source, settings: Settings) -> None:
        self.prices = settings.storage_prices
        self._source = source
        self._settings = settings
        self._buckets = watched(settings)

    @property
    def probe_max_age(self) -> float:
        """Seconds after which a probe that has not come back is stuck: each of its requests may be made twice."""
        return self._settings.s3_probe_seconds + 12 * self._settings.s3_timeout_seconds

    @cached_property
    def listings(self) -> Listings:
        """What lies in the buckets."""
        settings = self._settings
        return Listings(
            self._source,
            self._buckets,
            settings.storage_tiers,
            States(),
            interval=settings.s3_listing_interval_seconds,
            pace=settings.s3_list_requests_per_second,
        )

    @cached_property
    def probe(self) -> Probe:
        """Whether the server answers."""
        settings = self._settings
        return Probe(
            self._source,
            self._buckets,
            self.listings,
            every=settings.s3_probe_seconds,
            canary=settings.s3_canary_bucket_name or "",
            prefix=settings.s3_canary_prefix,
        )

    @cached_property
    def rules(self) -> RulesReader:
        """The lifecycle rules."""
        return RulesReader(self._source, self._buckets)
