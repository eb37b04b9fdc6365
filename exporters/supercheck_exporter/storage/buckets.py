"""Which buckets are watched: the eight that Supercheck uses, each name once."""

from __future__ import annotations

from dataclasses import dataclass

from supercheck_exporter.settings import Settings

ARTIFACTS = (
    "s3_test_bucket_name",
    "s3_job_bucket_name",
    "s3_monitor_bucket_name",
    "s3_k6_test_bucket_name",
    "s3_k6_job_bucket_name",
)
"""Reports of runs, which lose their worth with age."""

KEPT = ("s3_status_bucket_name", "s3_requirements_bucket_name", "s3_project_data_files_bucket_name")
"""What people put there: nothing of it may expire."""


@dataclass(frozen=True)
class Bucket:
    """A bucket, the setting that names it, and whether it holds nothing but reports of runs."""

    name: str
    setting: str
    artifacts: bool


def watched(settings: Settings) -> tuple[Bucket, ...]:
    """The buckets of a site but for S3_SKIPPED_BUCKETS. One that two settings name is kept if either keeps it."""
    found: dict[str, Bucket] = {}
    for field in (*KEPT, *ARTIFACTS):
        name: str = getattr(settings, field)
        found.setdefault(name, Bucket(name, field.upper(), field in ARTIFACTS))
    order = [getattr(settings, field) for field in (*ARTIFACTS, *KEPT)]
    return tuple(found[name] for name in dict.fromkeys(order) if name not in settings.s3_skipped_buckets)
