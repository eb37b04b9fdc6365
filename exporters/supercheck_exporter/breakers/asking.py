"""How each kind of dependency is asked whether it is there. Nothing is changed and nothing is sent to anybody.

Of a web service any answer below 500 counts: a request without a login is refused with 4xx, and who refuses is there.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from supercheck_exporter.breakers.watch import Dependency, Found
from supercheck_exporter.core import SourceError
from supercheck_exporter.sources.http import fetch, place
from supercheck_exporter.sources.s3 import S3Source

HEAD_SECONDS = 60
"""How long the signature of a request to S3 holds."""

_S3_MEANS = {
    301: "keeps the bucket in another region: check AWS_REGION and S3_ENDPOINT",
    400: "refuses the request: check AWS_REGION and the AWS_ variables",
    403: "refuses us: check the AWS_ variables, and that their user may list the bucket",
    404: "has no such bucket: check S3_TEST_BUCKET_NAME",
}


class Service(Dependency):
    """A web service: GET, and any answer below 500 will do. 429 is one, and its Retry-After is kept to."""

    def __init__(self, url: str, ca_file: Path | None) -> None:
        self._url = url
        self._ca_file = ca_file

    def ask(self, seconds: float) -> Found:
        """GET it; a redirect is an answer and is not followed."""
        answer = fetch(self._url, deadline=seconds, ca_file=self._ca_file, max_bytes=1024)
        if answer.status >= 500:
            raise SourceError(f"{place(self._url)} answers {answer.status}")
        asked = answer.headers.get("retry-after", "") if answer.status == 429 else ""
        wait = float(asked) if asked.isascii() and asked.isdigit() else 0.0
        return Found(answer.certificate_expires_at, wait)


class ObjectStore(Dependency):
    """S3: a signed HEAD of a bucket, which the user of the AWS_ variables must be let in for."""

    def __init__(self, source: S3Source, bucket: str, ca_file: Path | None) -> None:
        self._source = source
        self._bucket = bucket
        self._ca_file = ca_file

    def ask(self, seconds: float) -> Found:
        """boto3 signs and does not ask: its timeouts are of single reads, and it tries again by itself."""
        url = self._source.signed("head_bucket", HEAD_SECONDS, Bucket=self._bucket)
        # the host as it was signed: without the port where the scheme means it
        headers = {"Host": urlsplit(url).netloc}
        answer = fetch(url, deadline=seconds, method="HEAD", headers=headers, ca_file=self._ca_file)
        if answer.status != 200:
            means = _S3_MEANS.get(answer.status, "does not work: see its log")
            raise SourceError(f"S3 at {self._source.where} answers {answer.status} and {means}")
        return Found(answer.certificate_expires_at)
