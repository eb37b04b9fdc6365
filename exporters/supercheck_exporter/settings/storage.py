"""How the object store is reached, and which buckets Supercheck uses."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FilePath, SecretStr

from supercheck_exporter.settings.fields import Group, Url, setting

_BUCKET = "the name of a bucket"


class StorageSettings(Group):
    """How the object store is reached, and which buckets Supercheck uses."""

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
