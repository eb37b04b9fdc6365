"""The object store: one client for every thread, and what its errors mean.

boto3 takes 25 MiB, so it is imported by the first call only: a site without S3 pays nothing. No error text of the
server is passed on, since some servers repeat the access key and what was signed; its code is.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from supercheck_exporter.core import SourceError
from supercheck_exporter.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS = 8
"""Kept open at most; more threads than that wait for each other."""

Kind = Literal["unreachable", "login", "failing", "missing", "forbidden", "refused", "unsupported"]
"""What is wrong: the server (the first three), the bucket (the next three), or this kind of server."""

Answer = Mapping[str, Any]


class S3Error(SourceError):
    """A request that did not do what was asked; ``kind`` is what is wrong, ``code`` the server's word for it."""

    def __init__(self, text: str, kind: Kind, code: str = "") -> None:
        super().__init__(text)
        self.kind: Kind = kind
        self.code = code


class _Meaning(NamedTuple):
    kind: Kind
    mend: str


_LOGIN = "refuses the login ({code}): check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_MEANINGS = {
    "NoSuchBucket": _Meaning("missing", "has no bucket {bucket}: make it, or set its name"),
    "InvalidBucketName": _Meaning("missing", "can have no bucket {bucket}: that is no name of a bucket"),
    "AccessDenied|AllAccessDisabled|AccountProblem|403|Forbidden": _Meaning(
        "forbidden", "forbids {operation} on {bucket}: allow it to the user of AWS_ACCESS_KEY_ID"
    ),
    "InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken|InvalidClientTokenId": _Meaning(
        "login", _LOGIN
    ),
    "RequestTimeTooSkewed|RequestExpired": _Meaning("login", "refuses our clock: set the time of this machine"),
    "AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraintException|301": _Meaning(
        "refused", "keeps {bucket} in another region: check AWS_REGION and S3_ENDPOINT"
    ),
    "NotImplemented|MethodNotAllowed|XNotImplemented|501|405": _Meaning(
        "unsupported", "has no {operation} ({code}): it is a server that lacks this part of S3"
    ),
    "SlowDown|ServiceUnavailable|Throttling|TooManyRequests|RequestLimitExceeded|503|429": _Meaning(
        "failing", "is overloaded ({code}): lower S3_LIST_REQUESTS_PER_SECOND, or give it more"
    ),
}
"""Codes, and the end of the sentence with the mend."""


_UNREADABLE = ("ResponseParserError", "ValueError")


class S3Source:
    """The object store of S3_ENDPOINT. ``call`` is safe from every thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.where = urlsplit(settings.s3_endpoint or "").netloc.rpartition("@")[2]
        """host:port, or host."""
        self.server = ""
        """What the last answer's header says that the server is, for example MinIO."""
        self._lock = threading.Lock()
        self._made: S3Client | None = None

    def call(self, operation: str, **parameters: Any) -> Answer:
        """Do one operation of S3, named as boto3 names it (``list_objects_v2``), and return its answer.

        There is one retry for what is worth one. Raises S3Error with a sentence that names the mend.
        """
        # imported here for the same reason as boto3
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
        from botocore.parsers import ResponseParserError

        client = self._client()
        method: Callable[..., Answer] = getattr(client, operation)
        try:
            answer = method(**parameters)
        except ClientError as error:
            self._note(error.response)
            raise self._refused(error.response, operation, str(parameters.get("Bucket", ""))) from None
        except ParamValidationError:
            raise S3Error(f"{parameters.get('Bucket')!r} is no name of a bucket", "missing") from None
        except (BotoCoreError, ResponseParserError, ValueError) as error:  # a number or a time that is none
            raise self._broken(error) from None
        self._note(answer)
        return answer

    def signed(self, operation: str, seconds: int, **parameters: Any) -> str:
        """A URL that may be asked for one operation, without another login, for so many seconds. Asks nobody."""
        from botocore.exceptions import BotoCoreError

        try:
            return str(self._client().generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds))
        except BotoCoreError as error:
            raise self._broken(error) from None

    def close(self) -> None:
        """Close what is kept open."""
        if self._made is not None:
            self._made.close()

    def _client(self) -> S3Client:
        with self._lock:
            if self._made is None:
                self._made = self._connect()
            return self._made

    def _connect(self) -> S3Client:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
        from botocore.session import get_session

        settings = self._settings
        key, secret = settings.aws_access_key_id, settings.aws_secret_access_key
        if (key is None) != (secret is None):
            raise S3Error("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY need each other: set both or none", "login")
        session = get_session()
        # the library's own way to read a time takes longer than everything else of a listing together
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
        try:
            return boto3.Session(botocore_session=session).client(
                "s3",
                endpoint_url=settings.s3_endpoint,
                region_name=settings.aws_region,
                aws_access_key_id=key.get_secret_value() if key else None,
                aws_secret_access_key=secret.get_secret_value() if secret else None,
                verify=str(settings.s3_ca_file) if settings.s3_ca_file else None,
                config=Config(
                    connect_timeout=settings.s3_timeout_seconds,
                    read_timeout=settings.s3_timeout_seconds,
                    retries={"total_max_attempts": 2, "mode": "standard"},
                    max_pool_connections=CONNECTIONS,
                    signature_version="s3v4",  # the default of all but signed URLs
                    s3={"addressing_style": "path"},
                    # many servers do not know the checksums that the library adds by itself
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )
        except (BotoCoreError, ValueError) as error:
            raise S3Error(
                f"S3_ENDPOINT, AWS_REGION or the AWS_ variables can't be used ({_kind(error)})", "login"
            ) from None

    def _note(self, answer: Answer) -> None:
        self.server = str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("server", self.server))

    def _refused(self, answer: Answer, operation: str, bucket: str) -> S3Error:
        said = str(answer.get("Error", {}).get("Code", ""))
        status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = said if re.fullmatch(r"[A-Za-z0-9.]{1,64}", said) else str(status)
        if code == "404" and operation == "head_bucket":  # it has no body, so no better code
            code = "NoSuchBucket"
        words = {"bucket": bucket, "operation": _spoken(operation), "code": code}
        for codes, meaning in _MEANINGS.items():
            if re.fullmatch(codes, code):
                return S3Error(f"S3 at {self.where} {meaning.mend.format(**words)}", meaning.kind, code)
        what = f"answers {_spoken(operation)} on {bucket} with {code}" if bucket else f"answers with {code}"
        if status >= 500:
            return S3Error(f"S3 at {self.where} {what}: see its log", "failing", code)
        return S3Error(f"S3 at {self.where} {what}: check S3_ENDPOINT and the bucket", "refused", code)

    def _broken(self, error: Exception) -> S3Error:
        kind = _kind(error)
        if kind in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
            return S3Error(
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and this machine has no role of its own",
                "login",
            )
        if "Timeout" in kind:
            text = "does not answer in time: it is frozen or overloaded, or a firewall drops what is sent"
        elif kind == "SSLError":
            text = "shows a certificate that is not trusted, or speaks no TLS: check S3_ENDPOINT and S3_CA_FILE"
        elif kind == "EndpointConnectionError":
            text = "takes no connection: check S3_ENDPOINT and that it runs"
        elif kind in _UNREADABLE:
            text = "gives an answer that is cut off or no S3: check S3_ENDPOINT and what stands between"
        else:
            text = f"breaks the connection ({kind}): check S3_ENDPOINT and what stands between"
        return S3Error(f"S3 at {self.where} {text}", "failing" if kind in _UNREADABLE else "unreachable")


def _kind(error: Exception) -> str:
    return type(error).__name__


def _spoken(operation: str) -> str:
    """``list_objects_v2`` as S3's documentation writes it: ListObjectsV2."""
    return "".join(part.capitalize() for part in operation.split("_"))


def _time(text: Any) -> datetime:
    """A time of an answer: ISO 8601 in nearly all of them, else what the library makes of it."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        from botocore.utils import parse_timestamp

        return parse_timestamp(text)
