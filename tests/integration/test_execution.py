"""The execution namespace by answers of the Kubernetes API (tests/servers/kubernetes_answers), over real HTTPS."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from servers.exporter import Exporter
from servers.kubernetes import TOKEN, KubernetesServer, Pod
from supercheck_exporter.check import check

SUCCESS = "supercheck_scrape_collector_success"
PHASES = {"Pending": 0, "Running": 0, "Succeeded": 0, "Failed": 0, "Unknown": 0}


@pytest.fixture(scope="module")
def cluster() -> Iterator[KubernetesServer]:
    with KubernetesServer() as server:
        yield server


@pytest.fixture(autouse=True)
def well(cluster: KubernetesServer) -> None:
    cluster.pods, cluster.quotas, cluster.refuses = [], None, ""
    cluster.page_items, cluster.skew, cluster.hanging = 500, 0.0, False


@pytest.fixture(scope="module")
def exporter(cluster: KubernetesServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    settings = cluster.settings(tmp_path_factory.mktemp("kubeconfig"))
    with Exporter(settings | {"LOG_LEVEL": "debug", "EXECUTION_TIMEOUT_SECONDS": "3"}) as process:
        yield process


def test_an_empty_namespace_reads_zero_and_its_quota_is_told(cluster: KubernetesServer, exporter: Exporter) -> None:
    samples = exporter.scrape("execution")
    assert samples.values("supercheck_execution_pods", "phase") == PHASES
    assert samples.value("supercheck_execution_oldest_pending_age_seconds") == 0
    assert samples.values("supercheck_execution_quota_used", "resource") == {
        "pods": 2, "count/jobs.batch": 7, "requests.cpu": 0.5, "limits.cpu": 2, "requests.memory": 512 * 2**20,
        "limits.memory": 1536 * 2**20,
    }  # fmt: skip
    assert samples.values("supercheck_execution_quota_limit", "resource") == {
        "pods": 10, "count/jobs.batch": 10, "requests.cpu": 4, "limits.cpu": 8, "requests.memory": 8 * 2**30,
        "limits.memory": 16 * 2**30,
    }  # fmt: skip


def test_pods_by_phase_over_several_pages_and_the_oldest_pending_one(
    cluster: KubernetesServer, exporter: Exporter
) -> None:
    cluster.page_items, cluster.skew = 2, 7200.0  # its clock is two hours ahead, which must not matter
    cluster.pods = [Pod("Pending", 30), Pod("Pending", 400), Pod("Pending", 5), Pod("Running", 900)]
    cluster.pods += [Pod("Succeeded", 100) for _ in range(5)] + [Pod("Failed", 100)]
    samples = exporter.scrape("execution")
    assert samples.values("supercheck_execution_pods", "phase") == PHASES | {
        "Pending": 3, "Running": 1, "Succeeded": 5, "Failed": 1,
    }  # fmt: skip
    age = samples.value("supercheck_execution_oldest_pending_age_seconds")
    assert age is not None
    assert 398 <= age < 460


def test_a_pod_that_moves_while_it_is_looked_at_counts_once(cluster: KubernetesServer, exporter: Exporter) -> None:
    cluster.pods = [Pod("Pending", 400, becomes="Running"), Pod("Running", 20, becomes="Succeeded")]
    samples = exporter.scrape("execution")
    assert samples.values("supercheck_execution_pods", "phase") == PHASES | {"Running": 1, "Succeeded": 1}
    assert samples.value("supercheck_execution_oldest_pending_age_seconds") == 0


def test_of_several_quotas_the_fullest_counts_and_what_is_not_counted_yet_is_unknown(
    cluster: KubernetesServer, exporter: Exporter
) -> None:
    cluster.quotas = [
        {"hard": {"pods": "10", "requests.cpu": "4"}, "used": {"pods": "9", "requests.cpu": "1"}},
        {"hard": {"pods": "50", "requests.cpu": "2"}, "used": {"pods": "20", "requests.cpu": "1900m"}},
        {"hard": {"count/secrets": "5"}, "used": {}},
    ]
    samples = exporter.scrape("execution")
    assert samples.values("supercheck_execution_quota_used", "resource") == {"pods": 9, "requests.cpu": 1.9}
    assert samples.values("supercheck_execution_quota_limit", "resource") == {"pods": 10, "requests.cpu": 2}


def test_a_namespace_without_a_quota_has_none(cluster: KubernetesServer, exporter: Exporter, tmp_path: Path) -> None:
    cluster.quotas = []
    samples = exporter.scrape("execution")
    assert samples.values("supercheck_execution_quota_limit", "resource") == {}
    assert samples.value(SUCCESS, collector="execution") == 1
    problems, notes = check(cluster.settings(tmp_path))
    assert problems == []
    assert "no ResourceQuota" in notes[0]


@pytest.mark.promise("read only")
def test_whole_pods_are_never_asked_for(cluster: KubernetesServer, exporter: Exporter) -> None:
    """Their specification holds decrypted secrets."""
    before = len(cluster.asked)
    exporter.scrape("execution")
    asked = cluster.asked[before:]
    assert {one.method for one in asked} == {"GET"}
    pods = [one for one in asked if "/pods" in one.path]
    assert len(pods) == 5
    assert all("as=PartialObjectMetadataList" in one.headers["accept"] for one in pods)
    assert len(asked) == 6


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ("forbidden", "needs the role of the manual"),
        ("unauthorized", "has expired or is not known"),
        ("expired", "answers 410"),
    ],
)
def test_a_refusal_is_a_failure_that_says_the_mend(
    cluster: KubernetesServer, exporter: Exporter, tmp_path: Path, refusal: str, said: str
) -> None:
    cluster.refuses = refusal
    samples = exporter.scrape("execution")
    assert samples.value(SUCCESS, collector="execution") == 0
    assert samples.values("supercheck_execution_pods", "phase") == {}
    page = exporter.page("/")
    assert said in page
    assert TOKEN not in page + exporter.log()
    problems, _ = check(cluster.settings(tmp_path))
    assert said in problems[0]


def test_a_server_that_hangs_costs_its_deadline(cluster: KubernetesServer, exporter: Exporter) -> None:
    cluster.hanging = True
    samples = exporter.scrape("execution", deadline=30)
    assert samples.value(SUCCESS, collector="execution") == 0
    assert "does not answer within" in exporter.page("/")


def test_a_client_certificate_from_the_kubeconfig(tmp_path: Path) -> None:
    with KubernetesServer(wants_certificate=True) as cluster:
        mine = cluster.authority.issue_cert("reader@example.com")
        encoded = {
            "client-certificate-data": base64.b64encode(mine.cert_chain_pems[0].bytes()).decode(),
            "client-key-data": base64.b64encode(mine.private_key_pem.bytes()).decode(),
        }
        kubeconfig = cluster.kubeconfig(tmp_path, **encoded)
        problems, _ = check({"EXECUTION_KUBECONFIG": str(kubeconfig)})
        assert problems == []
        (tmp_path / "tls.crt").write_bytes(mine.cert_chain_pems[0].bytes())
        (tmp_path / "tls.key").write_bytes(mine.private_key_pem.bytes())
        named = cluster.kubeconfig(tmp_path, **{"client-certificate": "tls.crt", "client-key": "tls.key"})
        problems, _ = check({"EXECUTION_KUBECONFIG": str(named)})
        assert problems == []


def test_a_token_that_is_renewed_in_its_file_is_taken_over(cluster: KubernetesServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    settings = {"EXECUTION_KUBECONFIG": str(cluster.kubeconfig(tmp_path, tokenFile="token"))}
    with Exporter(settings) as exporter:
        assert exporter.scrape("execution").value(SUCCESS, collector="execution") == 0
        token.write_text(f"{TOKEN}\n")
        assert exporter.scrape("execution").value(SUCCESS, collector="execution") == 1


BROKEN = {
    "no kubeconfig": "just words",
    "no YAML": "a: [",
    "no context of the name": "{current-context: x, contexts: []}",
    "can't be read (No such file": None,
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_kubeconfig_that_can_t_be_used_is_named(tmp_path: Path, said: str) -> None:
    path, text = tmp_path / "kubeconfig", BROKEN[said]
    if text is not None:
        path.write_text(text)
    problems, _ = check({"EXECUTION_KUBECONFIG": str(path)})
    assert said in problems[0]
    assert "EXECUTION_KUBECONFIG" in problems[0]


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"exec": "aws"}, "logs in by exec"),
        ({"client-certificate-data": "%%", "client-key-data": "x"}, "client-certificate-data is no base64"),
        ({"client-certificate-data": "eA==", "client-key-data": "eA=="}, "certificate or key in it can't be read"),
        ({"tokenFile": "nowhere"}, "can't be read"),
    ],
)
def test_a_login_that_can_t_be_used_is_named(
    cluster: KubernetesServer, tmp_path: Path, user: dict[str, str], said: str
) -> None:
    problems, _ = check({"EXECUTION_KUBECONFIG": str(cluster.kubeconfig(tmp_path, **user))})
    assert said in problems[0]


def test_outside_of_a_cluster_there_is_no_account() -> None:
    problems, _ = check({"EXECUTION_KUBECONFIG": "in-cluster"})
    assert "no pod of a cluster" in problems[0]


def test_a_kubeconfig_of_supercheck_s_own_form_is_read(cluster: KubernetesServer, tmp_path: Path) -> None:
    """The name of its context, cluster and user is the same word, as K3s writes it."""
    path = cluster.kubeconfig(tmp_path)
    config = yaml.safe_load(path.read_text())
    config["current-context"] = "default"
    config["contexts"] = [{"name": "default", "context": {"cluster": "default", "user": "default"}}]
    for kind in ("clusters", "users"):
        config[kind][0]["name"] = "default"
    path.write_text(yaml.safe_dump(config))
    assert check({"EXECUTION_KUBECONFIG": str(path)}) == ([], [])
