"""Vault by its documented answers (tests/servers/vault_answers), over real HTTPS: every state, and what breaks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from servers.exporter import Exporter, Samples, run_cli
from servers.vault import TOKEN, Secret, VaultServer, path_of
from supercheck_exporter.check import check

WAIT_SECONDS = 60.0
CANARY = "canary-8d21"
SUCCESS = "supercheck_scrape_collector_success"
WALKED = "supercheck_vault_secrets_last_success_timestamp_seconds"


@pytest.fixture(scope="module")
def vault() -> Iterator[VaultServer]:
    """One node; each test says what it answers."""
    with VaultServer() as node:
        yield node


@pytest.fixture(autouse=True)
def well(vault: VaultServer) -> None:
    vault.state, vault.token_answers, vault.versioned = "active", ("token", "audit"), True
    vault.secrets, vault.forbidden, vault.failing = {}, set(), set()
    vault.hanging = False
    vault.forget()


@pytest.fixture(scope="module")
def exporter(vault: VaultServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """Watches that node, and no ages of secrets."""
    settings = vault.settings(tmp_path_factory.mktemp("vault")) | {"LOG_LEVEL": "debug", "VAULT_NAMESPACE": "team"}
    with Exporter(settings) as process:
        yield process


def states(samples: Samples, node: str = "vault-1") -> dict[str, float | None]:
    """up, sealed, standby and initialized of a node."""
    names = ("up", "sealed", "standby", "initialized")
    return {name: samples.value(f"supercheck_vault_{name}", node=node) for name in names}


STATES: dict[str, tuple[float, float | None, float]] = {
    # state: (sealed, standby, initialized); up is 1 in all of them
    "active": (0, 0, 1),
    "standby": (0, 1, 1),
    "dr_secondary": (0, 0, 1),
    "performance_standby": (0, 1, 1),
    "standby_alone": (0, 1, 1),
    "uninitialized": (1, None, 0),
    "sealed": (1, None, 1),
    "removed": (1, None, 1),
}
SERVING = {"active", "standby", "performance_standby"}


@pytest.mark.parametrize("state", STATES)
def test_a_documented_state_is_a_state_and_no_failure(vault: VaultServer, exporter: Exporter, state: str) -> None:
    vault.state = state
    samples = exporter.scrape("vault")
    sealed, standby, initialized = STATES[state]
    assert states(samples) == {"up": 1, "sealed": sealed, "standby": standby, "initialized": initialized}
    assert samples.value(SUCCESS, collector="vault") == 1
    told = {"supercheck_vault_audit_devices": 2, "supercheck_vault_token_ttl_seconds": 2_592_000}
    for name, value in told.items():
        assert samples.value(name) == (value if state in SERVING else None), name
    with_token = {path_of(asked) for asked in vault.asked if "x-vault-token" in asked.headers}
    assert bool(with_token) == (state in SERVING), "a token goes to nobody who can't use it"


def test_the_certificate_and_the_lifetime_of_the_token(vault: VaultServer, exporter: Exporter) -> None:
    vault.token_answers = ("token_periodic", "audit_documented")
    samples = exporter.scrape("vault")
    expiry = samples.value("supercheck_vault_certificate_expiry_timestamp_seconds", node="vault-1")
    assert expiry == int(vault.expires_at.timestamp())
    assert samples.value("supercheck_vault_token_ttl_seconds") == 180_000
    assert samples.value("supercheck_vault_token_lifetime_seconds") == 259_200
    assert samples.value("supercheck_vault_audit_devices") == 1


def test_a_root_token_never_expires_and_no_audit_device_is_zero(vault: VaultServer, exporter: Exporter) -> None:
    vault.token_answers = ("token_root", "audit_none")
    samples = exporter.scrape("vault")
    assert samples.value("supercheck_vault_token_ttl_seconds") is None
    assert samples.value("supercheck_vault_audit_devices") == 0


def test_a_policy_without_sudo_costs_the_audit_devices_alone(vault: VaultServer, exporter: Exporter) -> None:
    vault.token_answers = ("token", "audit_forbidden")
    samples = exporter.scrape("vault")
    assert samples.value(SUCCESS, collector="vault") == 1
    assert samples.value("supercheck_vault_audit_devices") is None
    assert samples.value("supercheck_vault_token_ttl_seconds") == 2_592_000


@pytest.mark.parametrize(
    ("refused", "said"),
    [("token_refused", "refuses VAULT_TOKEN"), ("no_active_node", "answers 500 to auth/token/lookup-self")],
)
def test_a_token_that_is_not_taken_is_a_failure_and_the_states_are_told(
    vault: VaultServer, exporter: Exporter, refused: str, said: str
) -> None:
    vault.token_answers = (refused, "audit")
    samples = exporter.scrape("vault")
    assert samples.value(SUCCESS, collector="vault") == 0
    assert states(samples) == {"up": 1, "sealed": 0, "standby": 0, "initialized": 1}
    assert samples.value("supercheck_vault_audit_devices") is None
    assert said in exporter.page("/")
    assert TOKEN not in exporter.page("/") + exporter.log() + samples.text


def test_seal_status_alone_is_an_answer(vault: VaultServer, exporter: Exporter) -> None:
    vault.state, vault.failing = "sealed", {"sys/health"}
    samples = exporter.scrape("vault")
    assert states(samples) == {"up": 1, "sealed": 1, "standby": None, "initialized": 1}
    assert samples.value(SUCCESS, collector="vault") == 1


def test_something_else_that_answers_is_no_vault(vault: VaultServer, exporter: Exporter) -> None:
    vault.failing = {"sys/health", "sys/seal-status"}
    samples = exporter.scrape("vault")
    assert states(samples) == {"up": 0, "sealed": None, "standby": None, "initialized": None}
    assert samples.value(SUCCESS, collector="vault") == 0
    assert "check VAULT_ADDRS" in exporter.page("/")


@pytest.mark.promise("read only")
def test_it_only_reads_and_sends_the_token_where_it_is_needed(vault: VaultServer, exporter: Exporter) -> None:
    exporter.scrape("vault")
    assert {asked.method for asked in vault.asked} == {"GET"}
    assert {
        (path_of(asked), asked.headers.get("x-vault-token"), asked.headers.get("x-vault-namespace"))
        for asked in vault.asked
    } == {
        ("sys/seal-status", None, None),
        ("sys/health", None, None),
        ("auth/token/lookup-self", TOKEN, "team"),
        ("sys/audit", TOKEN, "team"),
    }


def test_a_node_that_hangs_is_down_alone(vault: VaultServer, tmp_path: Path) -> None:
    with ExitStack() as stack:
        hanging = stack.enter_context(VaultServer(state="standby"))
        expired = stack.enter_context(VaultServer(expires_at=datetime.now(UTC) - timedelta(days=1)))
        chain = "".join(Path(node.ca_file(tmp_path)).read_text() for node in (vault, hanging, expired))
        (tmp_path / "all.pem").write_text(chain)
        nodes = f"a={vault.url},b={hanging.url},c={expired.url},d=https://127.0.0.1:1"
        hanging.hanging = True
        settings = vault.settings(tmp_path) | {"VAULT_ADDRS": nodes, "VAULT_CACERT": str(tmp_path / "all.pem")}
        with Exporter(settings | {"VAULT_TIMEOUT_SECONDS": "2"}) as exporter:
            samples = exporter.scrape("vault", deadline=20)
            page = exporter.page("/")
            assert samples.values("supercheck_vault_up", "node") == {"a": 1, "b": 0, "c": 0, "d": 0}
            assert samples.value(SUCCESS, collector="vault") == 1
            assert samples.value("supercheck_vault_audit_devices") == 2
            for said in ("does not answer within", "certificate has expired", "refuses the connection"):
                assert said in page
            hanging.hanging = False
            back = exporter.wait_value(1, "supercheck_vault_up", timeout=WAIT_SECONDS, node="b")
            assert back.value("supercheck_vault_standby", node="b") == 1


def test_without_a_token_only_what_a_node_tells_everybody(vault: VaultServer, tmp_path: Path) -> None:
    settings = {"VAULT_ADDRS": vault.url, "VAULT_CACERT": vault.ca_file(tmp_path), "VAULT_KV_PATHS": "secret"}
    with Exporter(settings) as exporter:
        samples = exporter.scrape("vault")
    assert states(samples, f"127.0.0.1:{vault.port}")["up"] == 1
    assert samples.value(SUCCESS, collector="vault") == 1
    assert {path_of(asked) for asked in vault.asked} == {"sys/seal-status", "sys/health"}


# ---- ages of secrets


def test_ages_of_secrets(vault: VaultServer, tmp_path: Path) -> None:
    vault.secrets = {
        "app/database": Secret(days=100, versions=3),
        "app/deep/er/smtp": Secret(days=10),
        "app/with space ü%2F": Secret(days=91),
        "app/gone": Secret(days=500, deletion_days=-3),
        "app/destroyed": Secret(days=500, destroyed=True),
        "app/goes": Secret(days=1, deletion_days=5),
        "app/never-written": Secret(days=500, versions=0),
        "other/not-asked-for": Secret(days=800),
    }
    with Exporter(vault.settings(tmp_path) | {"VAULT_KV_PATHS": "secret:app,secret:/app/deep"}) as exporter:
        exporter.wait_value(4, "supercheck_vault_secrets", timeout=WAIT_SECONDS, mount="secret")
        samples = exporter.scrape("vault")
    assert samples.value("supercheck_vault_secrets_overdue_rotation", mount="secret") == 2
    age = samples.value("supercheck_vault_secret_age_seconds", mount="secret")
    assert age is not None
    assert 100 * 86400 <= age < 100 * 86400 + 600
    assert samples.value(WALKED, mount="secret") is not None
    walked = [path_of(asked) for asked in vault.asked if "secret" in asked.path]
    assert all(path.startswith("secret/metadata/app/") for path in walked), "metadata only, and only as told"
    assert "smtp" not in samples.text + exporter.log()


def test_another_limit_for_the_rotation(vault: VaultServer, tmp_path: Path) -> None:
    vault.secrets = {"a": Secret(days=8), "b": Secret(days=6)}
    settings = {"VAULT_KV_PATHS": "secret", "THRESHOLD_SECRET_ROTATION_SECONDS": str(7 * 86400)}
    with Exporter(vault.settings(tmp_path) | settings) as exporter:
        exporter.wait_value(1, "supercheck_vault_secrets_overdue_rotation", timeout=WAIT_SECONDS, mount="secret")


def test_a_mount_without_secrets_reads_zero(vault: VaultServer, tmp_path: Path) -> None:
    with Exporter(vault.settings(tmp_path) | {"VAULT_KV_PATHS": "secret"}) as exporter:
        exporter.wait_value(0, "supercheck_vault_secrets", timeout=WAIT_SECONDS, mount="secret")
        samples = exporter.scrape("vault")
    assert samples.value("supercheck_vault_secret_age_seconds", mount="secret") == 0
    assert samples.value("supercheck_vault_secrets_overdue_rotation", mount="secret") == 0


UNKNOWN: dict[str, dict[str, object]] = {
    "it is no KV version 2": {"versioned": False},
    "refuses VAULT_TOKEN for the list": {"forbidden": {"secret/metadata/"}},
    "refuses VAULT_TOKEN for the metadata": {"forbidden": {"secret/metadata/b"}},
    "raise VAULT_KV_MAX_SECRETS": {"secrets": {f"{n}": Secret(days=1) for n in range(6)}},
}


@pytest.mark.parametrize("said", UNKNOWN)
def test_a_mount_that_can_t_be_read_whole_is_unknown(vault: VaultServer, tmp_path: Path, said: str) -> None:
    vault.secrets = {"a": Secret(days=1), "b": Secret(days=400)}
    for name, value in UNKNOWN[said].items():
        setattr(vault, name, value)
    with Exporter(vault.settings(tmp_path) | {"VAULT_KV_PATHS": "secret", "VAULT_KV_MAX_SECRETS": "5"}) as exporter:
        exporter.wait_log(said)
        samples = exporter.scrape("vault")
    assert samples.value("supercheck_vault_secrets", mount="secret") is None
    assert samples.value("supercheck_vault_secret_age_seconds", mount="secret") is None
    assert samples.value(SUCCESS, collector="vault") == 1, "the nodes and the token are known"
    if "VAULT_KV_MAX" not in said:
        problems, notes = check(exporter_settings(vault, tmp_path))
        assert problems == []
        assert (
            any(said in note and "supercheck_vault_secret_age_seconds" in note for note in notes)
            or "for the meta" in said
        )


def exporter_settings(vault: VaultServer, folder: Path) -> dict[str, str]:
    return vault.settings(folder) | {"VAULT_KV_PATHS": "secret"}


# ---- check


def test_check_is_content_with_the_policy_of_the_manual(vault: VaultServer, tmp_path: Path) -> None:
    vault.secrets = {"a": Secret(days=1)}
    assert check(exporter_settings(vault, tmp_path)) == ([], [])


def test_check_names_what_is_missing(vault: VaultServer, tmp_path: Path) -> None:
    vault.token_answers = ("token", "audit_forbidden")
    vault.forbidden = {"secret/metadata/"}
    problems, notes = check(exporter_settings(vault, tmp_path))
    assert problems == []
    (audit,) = [note for note in notes if "supercheck_vault_audit_devices" in note]
    assert 'path "sys/audit" { capabilities = ["read", "sudo"] }' in audit
    (ages,) = [note for note in notes if "supercheck_vault_secret_age_seconds" in note]
    assert 'path "secret/metadata/*" { capabilities = ["list", "read"] }' in ages


def test_check_without_a_token_and_of_a_sealed_vault(vault: VaultServer, tmp_path: Path) -> None:
    vault.state = "sealed"
    problems, notes = check({"VAULT_ADDRS": f"one={vault.url}", "VAULT_CACERT": vault.ca_file(tmp_path)})
    assert problems == []
    assert any("one is sealed" in note for note in notes)
    assert any("VAULT_TOKEN is not set" in note for note in notes)


def test_check_names_a_node_that_is_down_and_a_certificate_that_is_not_trusted(
    vault: VaultServer, tmp_path: Path
) -> None:
    settings = {"VAULT_ADDRS": f"one={vault.url},two=http://127.0.0.1:1", "VAULT_TOKEN": CANARY}
    done = run_cli("check", settings=settings)
    assert done.returncode == 2
    assert "VAULT_CACERT" in done.stdout, "nobody known signed its certificate"
    assert CANARY not in done.stdout
    problems, _ = check(settings | {"VAULT_CACERT": vault.ca_file(tmp_path), "VAULT_TOKEN": TOKEN})
    assert [problem for problem in problems if "Vault at two" in problem and "VAULT_ADDRS" in problem]
