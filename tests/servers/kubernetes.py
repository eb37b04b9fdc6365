"""Answers of a Kubernetes API server by its documentation, over real HTTPS. No cluster stands behind.

`kubernetes_answers/` has a file for each kind of answer, with the version of the API that it comes from.
"""

from __future__ import annotations

import base64
import copy
import json
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

import trustme
import yaml

from servers.web import HANG, Asked, Raw, Reply, Web

ANSWERS = Path(__file__).with_name("kubernetes_answers")
NAMESPACE = "supercheck-execution"
TOKEN = "token-of-the-reader"


def answer(name: str) -> dict[str, Any]:
    """{status, body} of a file of kubernetes_answers."""
    found: dict[str, Any] = json.loads((ANSWERS / f"{name}.json").read_text(encoding="utf-8"))
    return found


@dataclass
class Pod:
    """A pod that was made so many seconds ago."""

    phase: str
    age: float = 1.0
    becomes: str = ""
    """Its phase once it was listed: it moves while it is looked at."""


@dataclass
class KubernetesServer:
    """One namespace. What it holds can be changed at any time."""

    pods: list[Pod] = field(default_factory=list)
    quotas: list[dict[str, dict[str, str]]] | None = None
    """The status of each quota (hard, used); None: the one of the file."""
    refuses: str = ""
    """Name of the answer that every request gets instead."""
    page_items: int = 500
    """Pods on a page at most, whatever the client takes."""
    skew: float = 0.0
    """Seconds that its clock is ahead of ours."""
    hanging: bool = False
    wants_certificate: bool = False
    """Whether it asks for a client certificate instead of the token."""

    def __post_init__(self) -> None:
        self.authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1").configure_cert(context)
        if self.wants_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        self._web = Web(self._answer, context)

    @property
    def asked(self) -> list[Asked]:
        """Every request so far."""
        return self._web.asked

    @property
    def url(self) -> str:
        """Its address."""
        return self._web.url

    def kubeconfig(self, folder: Path, **user: str) -> Path:
        """Write a kubeconfig; by default its user has the token."""
        authority = base64.b64encode(self.authority.cert_pem.bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "execution",
            "contexts": [{"name": "execution", "context": {"cluster": "k3s", "user": "reader"}}],
            "clusters": [{"name": "k3s", "cluster": {"server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": "reader", "user": user or {"token": TOKEN}}],
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    def settings(self, folder: Path) -> dict[str, str]:
        """The settings with which the exporter watches it."""
        return {"EXECUTION_KUBECONFIG": str(self.kubeconfig(folder))}

    def __enter__(self) -> Self:
        self._web.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._web.stop()

    def _answer(self, asked: Asked) -> Reply | Raw:
        if self.hanging:
            return HANG
        found = self._found(asked)
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=self.skew), usegmt=True)
        headers = {"Content-Type": "application/json", "Date": date}
        return Reply(found["status"], headers, json.dumps(found["body"]).encode())

    def _found(self, asked: Asked) -> dict[str, Any]:
        if self.refuses:
            return answer(self.refuses)
        if not self.wants_certificate and asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return answer("unauthorized")
        path, _, query = asked.path.partition("?")
        if path == f"/api/v1/namespaces/{NAMESPACE}/resourcequotas":
            found = answer("quotas")
            if self.quotas is not None:
                found["body"]["items"] = [{"metadata": {"name": "q"}, "status": status} for status in self.quotas]
            return found
        if (
            path != f"/api/v1/namespaces/{NAMESPACE}/pods"
            or "as=PartialObjectMetadataList" not in asked.headers["accept"]
        ):
            return answer("forbidden")  # whoever asks for whole pods would get the secrets in them
        return self._page({name: values[0] for name, values in parse_qs(query).items()})

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        phase = query["fieldSelector"].removeprefix("status.phase=")
        found = answer("pods")
        (template,) = found["body"]["items"]
        chosen = [(at, pod) for at, pod in enumerate(self.pods) if pod.phase == phase]
        start, most = int(query.get("continue", "0")), min(self.page_items, int(query["limit"]))
        items = []
        for at, pod in chosen[start : start + most]:
            item = copy.deepcopy(template)
            made = datetime.now(UTC) + timedelta(seconds=self.skew - pod.age)
            item["metadata"]["uid"] = f"00000000-0000-0000-0000-{at:012d}"
            item["metadata"]["creationTimestamp"] = made.strftime("%Y-%m-%dT%H:%M:%SZ")
            items.append(item)
        found["body"]["items"] = items
        if start + most < len(chosen):
            found["body"]["metadata"]["continue"] = str(start + most)
        for _, pod in chosen:
            pod.phase = pod.becomes or pod.phase
        return found
