"""The pages of Vault and the execution namespace on answers by their documentation, compared with the reviewed text."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from golden.test_golden import FOLDER, UPDATE
from prometheus_client.parser import text_string_to_metric_families
from servers import kubernetes, vault
from supercheck_exporter.collectors import TABLE, execution
from supercheck_exporter.collectors import vault as vault_collector
from supercheck_exporter.collectors.execution import ExecutionCollector
from supercheck_exporter.collectors.vault import VaultCollector
from supercheck_exporter.config import load
from supercheck_exporter.core import Collector, Run
from supercheck_exporter.exposition import Renderer
from supercheck_exporter.sources.vault import Reply
from supercheck_exporter.vault import ages as vault_ages
from supercheck_exporter.vault.ages import SecretAges

NOW = 1_796_000_000.0
NODES = {"vault-1": "active", "vault-2": "standby", "vault-3": "sealed"}
ASKED_FOR = ("token", "audit", "kv_config")


class AnsweredVault:
    """Three nodes, each in a documented state, and a mount with one secret."""

    has_token = True
    nodes = NODES

    def __init__(self) -> None:
        self.settings = load({"VAULT_KV_PATHS": "secret"})

    def get(self, node: str, path: str, deadline: float, *, token: bool = False, query: str = "") -> Reply:
        known = vault.answers(NODES[node])
        for name in ASKED_FOR:
            known |= vault.answers(name)
        if path in known:
            found = known[path]
        else:
            found = vault.answer("kv_list" if query else "kv_metadata")
            found["body"]["data"]["keys"] = ["name"]
        return Reply(found["status"], found["body"], 0.0, NOW + 86400 * len(node))


class AnsweredCluster:
    """The API server's lists; one pod in each phase but the last."""

    server_time = NOW

    def session(self) -> AnsweredCluster:
        return self

    def pages(self, path: str, accept: str, **query: str) -> Iterator[list[Mapping[str, Any]]]:
        found = kubernetes.answer("quotas" if path.endswith("quotas") else "pods")["body"]["items"]
        if "fieldSelector" in query:
            phase = query["fieldSelector"].removeprefix("status.phase=")
            found[0]["metadata"]["uid"] = phase
            found = found if phase != "Unknown" else []
        yield found


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still."""
    clock = types.SimpleNamespace(time=lambda: NOW, monotonic=lambda: 0.0)
    for module in (vault_collector, vault_ages):
        monkeypatch.setattr(module, "time", clock)


def made(name: str) -> Collector:
    """A collector on the answers."""
    if name == "execution":
        return ExecutionCollector(AnsweredCluster(), "supercheck-execution")  # type: ignore[arg-type]  # stands for it
    source: Any = AnsweredVault()
    ages = SecretAges(source)
    ages.step()
    return VaultCollector(source, ages)


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("name", ["vault", "execution"])
def test_the_page_is_the_one_that_was_reviewed(name: str) -> None:
    collector = made(name)
    try:
        page = Renderer().render([Run(name, True, 0.0, NOW, tuple(collector.collect()))])
    finally:
        collector.stop()
    path = FOLDER / f"{name}.prom"
    if UPDATE:
        path.write_text(page)
    assert page == path.read_text()


@pytest.mark.parametrize("name", ["vault", "execution"])
def test_every_metric_of_a_collector_is_on_its_page(name: str) -> None:
    families = text_string_to_metric_families((FOLDER / f"{name}.prom").read_text())
    assert {desc.name for desc in TABLE[name][0].descs} <= {
        sample.name for family in families for sample in family.samples
    }


def test_each_answer_says_from_which_documentation_it_is() -> None:
    for folder in (vault.ANSWERS, kubernetes.ANSWERS):
        files = sorted(folder.glob("*.json"))
        assert files
        for path in files:
            assert '"from": "' in path.read_text(), path.name
            assert "Vault 1.19" in path.read_text() or "Kubernetes API v1.33" in path.read_text(), path.name


def test_the_phases_are_all_that_kubernetes_has() -> None:
    assert set(execution.PHASES) == {"Pending", "Running", "Succeeded", "Failed", "Unknown"}
