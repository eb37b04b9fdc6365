"""What is probed from outside, how often, and how long it may take to answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, FilePath, SecretStr, field_validator

from supercheck_exporter.settings.fields import Group, Url, setting

ORDER = (("probe_timeout_seconds", "probe_interval_seconds"),)
"""(the smaller one, the larger one)."""

BUILT_IN_ENDPOINTS = ("app", "worker")
GRAPHQL = "graphql+"
"""Stands before the scheme of an endpoint that speaks GraphQL."""

MAX_NAMES = 50
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_PRINTABLE = re.compile(r"[!-~]+")


def checked_url(text: str) -> str:
    """A URL that can be asked as it stands; ValueError else, with a text that shows nothing of it."""
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("not a URL")
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname or url.username is not None or url.password is not None:
        raise ValueError("no scheme, no host, or a login in it")
    if url.port == 0:  # reading it raises ValueError where it is no port
        raise ValueError("not a port")
    return text


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """The parts of ``name=URL,name=URL``; without ``=`` the URL is empty. ValueError on a bad or double name."""
    seen: set[str] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, url = (piece.strip() for piece in part.partition("="))
        if not NAME.fullmatch(name) or name in seen or len(seen) == MAX_NAMES:
            raise ValueError("not a name, a name that stands there twice, or too many")
        seen.add(name)
        yield name, url


def _query(text: str) -> str:
    if not text.startswith(("{", "query")):
        raise ValueError("not a query")
    return text


class ProbeSettings(Group):
    """What is probed from outside, how often, and how long it may take to answer."""

    probe_interval_seconds: Annotated[float, Field(ge=1, le=300)] = setting(
        15.0, "seconds from 1 to 300", "Time from one probe of an endpoint or dependency to the next."
    )
    probe_timeout_seconds: Annotated[float, Field(ge=1, le=60)] = setting(
        5.0,
        "seconds from 1 to 60, and not more than PROBE_INTERVAL_SECONDS",
        "Deadline of a probe, everything counted.",
    )
    probe_ca_file: FilePath | None = setting(
        None, "the path of a file", "CA certificates (PEM) that probes trust beside the system's."
    )
    supercheck_app_url: Annotated[Url, AfterValidator(checked_url)] | None = setting(
        None,
        "a URL without a login, such as http://app:3000",
        "Where the app's /api/health is; unset: it is not probed.",
    )
    supercheck_worker_url: Annotated[Url, AfterValidator(checked_url)] | None = setting(
        None,
        "a URL without a login, such as http://worker:8000",
        "Where the workers' /health/ready is; each address that the name has is a replica.",
    )
    endpoints: SecretStr | None = setting(
        None,
        "name=URL pairs, separated by commas; names of a-z, 0-9, - and _ (not app, worker); URLs without a login",
        "Further endpoints: what answers 2xx is well. A URL that starts with graphql+https:// is sent a query.",
    )
    endpoint_graphql_query: Annotated[str, AfterValidator(_query)] = setting(
        "{ __schema { queryType { name } } }",
        "a GraphQL query, which starts with { or query",
        "What GraphQL endpoints are asked; the default is an introspection.",
    )

    @field_validator("endpoints")
    @classmethod
    def _endpoints(cls, value: SecretStr) -> SecretStr:
        for name, url in pairs(value.get_secret_value()):
            if name in BUILT_IN_ENDPOINTS:
                raise ValueError("a name that is taken")
            checked_url(url.removeprefix(GRAPHQL))
        return value

    @property
    def named_endpoints(self) -> dict[str, str]:
        """Name -> URL of the further endpoints; with GRAPHQL before it where it speaks that."""
        return dict(pairs(self.endpoints.get_secret_value())) if self.endpoints else {}

    @property
    def any_endpoint(self) -> bool:
        """Whether there is an endpoint to probe."""
        return bool(self.supercheck_app_url or self.supercheck_worker_url or self.named_endpoints)
