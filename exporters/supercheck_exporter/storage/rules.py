"""The lifecycle rules of a bucket: how they are read, and how those that we made are told from others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.s3 import S3Error, S3Source
from supercheck_exporter.storage.buckets import Bucket

OURS = "supercheck-exporter-"
"""How the ids of our rules begin. Nothing else is ever changed."""

READ_SECONDS = 600.0
MAX_AGE_SECONDS = 3600.0

Rule = dict[str, Any]


def read_rules(source: S3Source, bucket: str) -> tuple[list[Rule], str | None]:
    """The rules of a bucket as boto3 gives them, and the site's least size for a move, where S3 tells it.

    Raises S3Error; a bucket without rules has an empty list.
    """
    try:
        answer = source.call("get_bucket_lifecycle_configuration", Bucket=bucket)
    except S3Error as error:
        if error.code == "NoSuchLifecycleConfiguration":
            return [], None
        raise
    return list(answer.get("Rules", ())), answer.get("TransitionDefaultMinimumObjectSize")


class RulesReader(Follower):
    """Counts the enabled rules of each artifact bucket. Where a bucket's can't be read, its number is unknown."""

    name = "s3_lifecycle"
    retry_seconds = 60.0

    def __init__(self, source: S3Source, buckets: tuple[Bucket, ...]) -> None:
        super().__init__()
        self._source = source
        self._buckets = [bucket.name for bucket in buckets if bucket.artifacts]
        self._counts: Mapping[str, int] = {}
        self.problems: Mapping[str, str] = {}
        """Why a bucket's rules can't be read, by bucket."""

    def step(self) -> float:
        """Read every bucket once; only a server that does not answer fails it."""
        counts, problems = {}, {}
        for bucket in self._buckets:
            if self.stopping.is_set():
                return 0.0
            try:
                rules, _ = read_rules(self._source, bucket)
            except S3Error as error:
                if error.kind in ("unreachable", "login"):
                    raise
                problems[bucket] = str(error)
                continue
            counts[bucket] = sum(rule.get("Status") == "Enabled" for rule in rules)
        self._counts, self.problems = counts, problems
        return READ_SECONDS

    def counts(self) -> Mapping[str, int]:
        """Enabled rules by bucket. Raises SourceError where they were not read lately."""
        self.require_fresh(MAX_AGE_SECONDS, "The lifecycle rules")
        return self._counts
