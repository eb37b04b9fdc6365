"""compose/operations/uninstall.sh takes away what carries the label of the bundle's project, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from contract.feature_list import ROOT
from servers.fake_docker import FakeDocker, checkout

OURS = "label=com.docker.compose.project=supercheck-observability"


class Host:
    """A host with the bundle and Supercheck; what is asked for without the label is Supercheck's."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self.compose = checkout(ROOT, folder / "bundle")
        (self.compose / ".env").write_text("SMTP_HOST=x\n")
        (self.compose / "secrets/exporter/redis_password").write_text("x")
        self.docker = FakeDocker(folder / "bin")
        for kind, names in {
            "ps --all": "supercheck-observability-grafana-1\nsupercheck-observability-backup-1",
            "network ls": "supercheck-observability_monitoring",
            "volume ls": "supercheck-observability_grafana\nsupercheck-observability_prometheus",
        }.items():
            self.docker.answer(f"^{kind}", "supercheck-app-1\n")
            self.docker.answer(f"^{kind} .*{OURS} ", names + "\n")
        images = "grafana/grafana:13.1.4\nsupercheck-exporter:0.1.0\nsupercheck-edge:0.1.0\nsupercheck-exporter:0.1.0\n"
        self.docker.answer("^compose .* config --images$", images)
        self.docker.answer("^image inspect supercheck-edge", "", 1)  # was never built
        self.guests("grafana supercheck-observability")

    def guests(self, *lines: str) -> None:
        """Who is on the bundle's network: name and project."""
        self.docker.answer("^ps --filter network=", "".join(f"{line}\n" for line in lines))

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it; with --yes nothing is left afterwards."""
        return self.docker.run(self.compose / "operations/uninstall.sh", *arguments)

    def changed(self) -> list[str]:
        """What docker was told to do."""
        return self.docker.asked(r"^(?!ps |version |network ls|volume ls|image inspect|compose .* config)")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def gone(host: Host) -> None:
    """Containers are there when they are listed first, and not when they are looked for after that."""
    once = host.docker.folder / "once"
    script = f"test -e {once} || {{ touch {once}; printf 'supercheck-observability-grafana-1\\n'; }}"
    host.docker.answer(f"^ps --all .*{OURS}", command=["sh", "-c", script])


def test_without_a_yes_it_only_says_what_it_would_do(host: Host) -> None:
    done = host.call("--data", "--images", "--files")
    assert done.returncode == 0
    for name in ("grafana-1", "_monitoring", "_prometheus", "supercheck-exporter:0.1.0", "compose/.env"):
        assert f"{name}\n" in done.stdout
    assert "SELECT pg_drop_replication_slot('supercheck_backup')" in done.stdout
    assert "Nothing was removed" in done.stdout
    assert host.changed() == []


@pytest.mark.promise("Supercheck is left as it is")
def test_the_data_stays_unless_it_is_asked_for(host: Host) -> None:
    gone(host)
    done = host.call("--yes")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert host.changed() == [
        "rm --force supercheck-observability-grafana-1",
        "network rm supercheck-observability_monitoring",
    ]
    assert (host.compose / ".env").exists()
    assert "The volumes are still there" in done.stdout


@pytest.mark.promise("Supercheck is left as it is")
def test_everything(host: Host) -> None:
    gone(host)
    done = host.call("--yes", "--data", "--images", "--files")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert host.changed()[2:] == [
        "volume rm supercheck-observability_grafana supercheck-observability_prometheus",
        "image rm supercheck-exporter:0.1.0",
    ]
    assert not any("supercheck-app" in line for line in host.changed())
    assert not (host.compose / ".env").exists()
    assert not (host.compose / "secrets/exporter/redis_password").exists()
    # what git has stays
    assert (host.compose / "secrets/exporter/redis_password.example").exists()


@pytest.mark.parametrize("service", ["pgbouncer", "edge", "redis-node-1"])
def test_what_supercheck_leans_on_is_not_pulled_away(host: Host, service: str) -> None:
    host.docker.answer(f"^ps --filter {OURS}", f"{service}\n")
    done = host.call("--yes")
    assert done.returncode == 1
    assert "first: " in done.stdout
    assert "nothing was removed" in done.stderr
    assert host.changed() == []


def test_a_guest_on_the_network_is_named(host: Host) -> None:
    host.guests("grafana supercheck-observability", "supercheck-app-1 supercheck")
    done = host.call("--yes")
    assert done.returncode == 1
    assert "supercheck-app-1 is on the network" in done.stdout
    assert host.changed() == []


def test_another_project_s_name_is_followed(host: Host) -> None:
    (host.compose / ".env").write_text("COMPOSE_PROJECT_NAME=second\n")
    host.call()
    asked = host.docker.asked("--filter label=")
    assert asked
    assert all("label=com.docker.compose.project=second " in line for line in asked)


def test_an_image_that_another_project_uses_stays_and_the_rest_goes(host: Host) -> None:
    gone(host)
    host.docker.answer("^image rm ", "conflict", 1)
    done = host.call("--yes", "--images", "--files")
    assert (done.returncode, done.stderr) == (0, "")
    assert "supercheck-exporter:0.1.0 stays" in done.stdout
    assert not (host.compose / ".env").exists()


def test_what_does_not_go_is_said(host: Host) -> None:
    done = host.call("--yes")
    assert done.returncode == 1
    assert "still there: supercheck-observability-grafana-1" in done.stderr
