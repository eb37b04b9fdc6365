"""The Kubernetes API by a kubeconfig, or by a pod's own account: GET only, each with a deadline that holds.

The kubeconfig is read for each run of the collector, so that a renewed token or certificate is taken over.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import ssl
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from supercheck_exporter.core import SourceError
from supercheck_exporter.settings.execution import IN_CLUSTER
from supercheck_exporter.sources.http import HttpError, fetch

SETTING = "EXECUTION_KUBECONFIG"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PAGE_ITEMS = 500
MAX_PAGES = 20
MAX_BYTES = 8 << 20
PLUGINS = ("exec", "auth-provider", "username")
"""Ways to log in that need another program, or that Kubernetes no longer has."""


@dataclass(frozen=True)
class Access:
    """Where the API is, and how one gets in."""

    server: str
    context: ssl.SSLContext | None
    headers: Mapping[str, str]


class Session:
    """Reads within one deadline; ``server_time`` is the API server's clock at its last answer, Unix seconds."""

    def __init__(self, access: Access, until: float) -> None:
        self._access = access
        self._until = until
        self.server_time = time.time()

    def pages(self, path: str, accept: str, **query: str) -> Iterator[list[Mapping[str, Any]]]:
        """The items of a list, page by page. Raises SourceError where it is refused or has no end."""
        query = {**query, "limit": str(PAGE_ITEMS)}
        for _ in range(MAX_PAGES):
            body = self._get(f"{path}?{urlencode(query)}", accept)
            items = body.get("items")
            yield [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
            following = (body.get("metadata") or {}).get("continue")
            if not following:
                return
            query["continue"] = following
        raise SourceError(f"Kubernetes lists more than {MAX_PAGES * PAGE_ITEMS} of {path.rpartition('/')[2]}")

    def _get(self, path: str, accept: str) -> Mapping[str, Any]:
        deadline = max(0.2, self._until - time.monotonic())
        headers = {**self._access.headers, "Accept": accept}
        try:
            answer = fetch(
                self._access.server + path,
                deadline=deadline,
                headers=headers,
                max_bytes=MAX_BYTES,
                context=self._access.context,
            )
        except HttpError as problem:
            raise HttpError(problem.reason, f"Kubernetes: {problem} ({SETTING})") from problem
        self.server_time = _date(answer.headers.get("date", "")) or time.time()
        what = path.partition("?")[0].rpartition("/")[2]
        if answer.status != 200:
            raise SourceError(f"Kubernetes answers {answer.status} to the list of {what}: {_mend(answer.status)}")
        if not answer.whole:
            raise SourceError(f"Kubernetes' list of {what} is longer than {MAX_BYTES >> 20} MiB a page")
        try:
            found = json.loads(answer.body)
        except ValueError as error:
            raise SourceError(f"Kubernetes' list of {what} is no JSON: check the server in {SETTING}") from error
        if not isinstance(found, dict):
            raise SourceError(f"Kubernetes' list of {what} is no list: check the server in {SETTING}")
        return found


class KubernetesSource:
    """An API server, named by a kubeconfig."""

    def __init__(self, kubeconfig: str, timeout: float) -> None:
        self._kubeconfig = kubeconfig
        self._timeout = timeout

    def session(self) -> Session:
        """Read the kubeconfig, and begin. Raises SourceError with the mend where it can't be used."""
        until = time.monotonic() + self._timeout
        access = in_cluster() if self._kubeconfig == IN_CLUSTER else from_kubeconfig(Path(self._kubeconfig))
        return Session(access, until)


def _mend(status: int) -> str:
    if status == 401:
        return f"the token or certificate in {SETTING} has expired or is not known"
    if status == 403:
        return "its user needs the role of the manual (get and list pods and resourcequotas)"
    if status == 404:
        return f"check the server in {SETTING}, and EXECUTION_NAMESPACE"
    return "see the API server's log"


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None


def in_cluster(account: Path = ACCOUNT, env: Mapping[str, str] = os.environ) -> Access:
    """The account that Kubernetes gives a pod."""
    host, port = env.get("KUBERNETES_SERVICE_HOST", ""), env.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise SourceError(f"{SETTING} is {IN_CLUSTER}, and this is no pod of a cluster: name a file")
    token = _read(account / "token").decode().strip()
    context = ssl.create_default_context(cadata=_read(account / "ca.crt").decode())
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Access(server, context, {"Authorization": f"Bearer {token}"})


def from_kubeconfig(path: Path) -> Access:
    """What the current context of a kubeconfig says. Relative paths in it are meant from its folder."""
    try:
        config = yaml.safe_load(_read(path))
    except yaml.YAMLError as error:
        raise SourceError(f"{SETTING} names {path}, which is no YAML") from error
    if not isinstance(config, dict):
        raise SourceError(f"{SETTING} names {path}, which is no kubeconfig")
    context = _named(config, "contexts", str(config.get("current-context") or ""), "context")
    cluster = _named(config, "clusters", str(context.get("cluster") or ""), "cluster")
    user = _named(config, "users", str(context.get("user") or ""), "user")
    server = str(cluster.get("server") or "").rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise SourceError(f"{SETTING}: its cluster has no server")
    plugin = next((name for name in PLUGINS if name in user), None)
    if plugin:
        raise SourceError(f"{SETTING}: its user logs in by {plugin}, which needs another program: use a token")
    folder = path.parent
    token = user.get("token") or ""
    if user.get("tokenFile"):
        token = _read(folder / str(user["tokenFile"])).decode().strip()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Access(server, _tls(cluster, user, folder), headers)


def _named(config: Mapping[str, Any], kind: str, name: str, key: str) -> Mapping[str, Any]:
    for entry in config.get(kind) or ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(key), dict):
            found: Mapping[str, Any] = entry[key]
            return found
    raise SourceError(f"{SETTING}: there is no {key} of the name that its current context says")


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    authority = _content(cluster, "certificate-authority", folder)
    try:
        context = ssl.create_default_context(cadata=authority.decode() if authority else None)
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        certificate, key = _content(user, "client-certificate", folder), _content(user, "client-key", folder)
        if certificate and key:
            with _file(certificate + b"\n" + key) as path:
                context.load_cert_chain(path)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise SourceError(f"{SETTING}: a certificate or key in it can't be read") from error
    return context


def _content(entry: Mapping[str, Any], name: str, folder: Path) -> bytes:
    """A certificate or key: in the kubeconfig itself (base64), or in a file that it names; empty where neither is."""
    data = entry.get(f"{name}-data")
    if data:
        try:
            return base64.b64decode(str(data), validate=True)
        except binascii.Error as error:
            raise SourceError(f"{SETTING}: its {name}-data is no base64") from error
    return _read(folder / str(entry[name])) if entry.get(name) else b""


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    """A file that only we can read, while Python's TLS reads it: it takes a key from a file only."""
    with tempfile.NamedTemporaryFile(prefix="supercheck-exporter-") as file:
        file.write(content)
        file.flush()
        yield file.name


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{SETTING} names {path}, which can't be read ({error.strerror})") from error
