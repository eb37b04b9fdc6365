"""How the object store is reached, which buckets Supercheck uses, what they cost and where old objects should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr

from supercheck_exporter.settings.fields import Group, Limit, Positive, Url, pairs, setting
from supercheck_exporter.storage.classes import (
    AWS_PRICES,
    AWS_TIERS,
    CLASSES,
    EXPIRE,
    MOVES,
    NO_PRICES,
    OWN_TIERS,
    Tiers,
)

_BUCKET = "the name of a bucket"


def _tiers(tiers: dict[str, int]) -> dict[str, int]:
    """In the order of their days, and only what a lifecycle rule could do in that order."""
    steps = dict(sorted(tiers.items(), key=lambda step: step[1]))
    if not steps.keys() <= {*MOVES, EXPIRE} or len(set(steps.values())) < len(steps):
        raise ValueError("unknown class, or two on one day")
    depths = [CLASSES[name].depth if name in CLASSES else len(CLASSES) for name in steps]
    if depths != sorted(depths) or steps.get(EXPIRE) == 0:
        raise ValueError("objects only go down")
    return steps


def _names(text: object) -> object:
    return tuple(filter(None, (part.strip() for part in text.split(",")))) if isinstance(text, str) else text


def _classes(prices: dict[str, float]) -> dict[str, float]:
    if not prices.keys() <= CLASSES.keys():
        raise ValueError("unknown class")
    return prices


_Days = Annotated[dict[str, Limit], BeforeValidator(pairs), AfterValidator(_tiers)]
_Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Prices = Annotated[dict[str, _Dollars], BeforeValidator(pairs), AfterValidator(_classes)]
_Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


class StorageSettings(Group):
    """How the object store is reached, and what is in it."""

    s3_endpoint: Url | None = setting(
        None,
        "a URL that starts with http:// or https://",
        "The object store (AWS: https://s3.REGION.amazonaws.com); unset: no bucket is watched.",
    )
    aws_region: str = setting("us-east-1", "the name of a region", "Region of the buckets.")
    aws_access_key_id: SecretStr | None = setting(
        None, "any text", "Access key of a user who may read; unset, with the secret key: the machine's own role."
    )
    aws_secret_access_key: SecretStr | None = setting(None, "any text", "Its secret key.")
    s3_ca_file: FilePath | None = setting(
        None, "the path of a file", "CA certificates (PEM) to trust instead of the system's."
    )
    s3_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = setting(
        10.0, "seconds over 0, at most 60", "Socket timeout of each request to the object store."
    )
    s3_test_bucket_name: str = setting("playwright-test-artifacts", _BUCKET, "Reports of tests.")
    s3_job_bucket_name: str = setting("playwright-job-artifacts", _BUCKET, "Reports of jobs.")
    s3_monitor_bucket_name: str = setting("playwright-monitor-artifacts", _BUCKET, "Reports of synthetic monitors.")
    s3_k6_test_bucket_name: str = setting("k6-test-artifacts", _BUCKET, "Reports of k6 tests.")
    s3_k6_job_bucket_name: str = setting("k6-job-artifacts", _BUCKET, "Reports of k6 jobs.")
    s3_status_bucket_name: str = setting("status-page-artifacts", _BUCKET, "Logos of status pages.")
    s3_requirements_bucket_name: str = setting("test-requirement-artifacts", _BUCKET, "Requirement documents.")
    s3_project_data_files_bucket_name: str = setting("project-data-files", _BUCKET, "Data files of projects.")
    s3_skipped_buckets: _Names = setting(
        (), "names of buckets, separated by commas", "Buckets of the above that this site does not have."
    )
    s3_listing_interval_seconds: Annotated[float, Field(ge=1, le=604800)] = setting(
        3600.0, "seconds from 1 to 604800", "How often each bucket is listed; one request for 1,000 objects."
    )
    s3_list_requests_per_second: Positive = setting(
        20.0, "a number over 0", "Most requests a second of all listings together."
    )
    s3_probe_seconds: Annotated[float, Field(ge=1, le=300)] = setting(
        30.0, "seconds from 1 to 300", "How often the object store is asked whether it answers."
    )
    s3_canary_bucket_name: str | None = setting(
        None,
        _BUCKET,
        "Bucket in which the probe writes, reads and deletes one small object; unset: nothing is written.",
    )
    s3_canary_prefix: str = setting("supercheck-exporter/canary/", "any text", "How the key of that object begins.")
    s3_lifecycle_tiers: _Days | None = setting(
        None,
        f"class=days pairs, separated by commas, downwards: {', '.join(MOVES)}, EXPIRE",
        "Where reports of which age should be; unset: GLACIER_IR=30,EXPIRE=90 on AWS, EXPIRE=90 elsewhere.",
    )
    s3_prices: _Prices | None = setting(
        None,
        "class=dollars pairs with numbers from 0, separated by commas",
        "Dollars a GB and month; unset: AWS's list for us-east-1 on AWS, 0 elsewhere.",
    )

    @property
    def s3_on_aws(self) -> bool:
        """Whether the object store is Amazon's own."""
        host = urlsplit(self.s3_endpoint or "").hostname or ""
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    @property
    def storage_tiers(self) -> Tiers:
        """Where objects of which age should be."""
        return self.s3_lifecycle_tiers or (AWS_TIERS if self.s3_on_aws else OWN_TIERS)

    @property
    def storage_prices(self) -> Mapping[str, float]:
        """Dollars a GB and month by class; a class that is not there has no known price."""
        if self.s3_prices is not None:
            return self.s3_prices
        return AWS_PRICES if self.s3_on_aws else NO_PRICES
