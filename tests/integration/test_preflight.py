"""compose/operations/preflight.sh: small real faults, and a docker that answers as one would."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest
from contract.feature_list import ROOT
from servers.fake_docker import FakeDocker, checkout
from servers.process import free_port, missing

from compose.demo.programs import find

GIB = 1 << 30
SECRET = "canary-77aa-secret"
PLAN = """name: supercheck-observability
services:
  exporter:
    image: supercheck-exporter:0.1.0
    mem_limit: "268435456"
  grafana:
    mem_limit: "536870912"
    ports:
      - mode: ingress
        host_ip: 127.0.0.1
        target: 3000
        published: "{port}"
        protocol: tcp
networks:
  monitoring:
    name: supercheck-observability_monitoring
  supercheck:
    name: supercheck_supercheck-network
    external: true
volumes:
  config:
    name: supercheck-observability_config
"""


class Host:
    """A host on which everything is well, until a test breaks one thing."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self.compose = checkout(ROOT, folder / "bundle")
        self.settings = self.compose / ".env"
        self.settings.write_text("ALERT_SLACK_WEBHOOK_URL_FILE=/run/secrets/slack_webhook_url\n")
        (self.compose / "secrets").chmod(0o700)
        self.secret("alertmanager/slack_webhook_url", SECRET)
        self.port = free_port()
        self.docker = FakeDocker(folder / "bin")
        self.disk(100 * GIB)
        self.docker.answer("^compose version", "2.40.3\n")
        self.docker.answer("^compose .* config$", PLAN.format(port=self.port))
        self.docker.answer("^info", f"{8 * GIB} {folder} json-file\n")
        self.docker.answer("^compose .* run --rm -T exporter check", "note: no lifecycle rules\nok\n")

    def disk(self, free: int) -> None:
        """So many bytes are free where Docker keeps its data."""
        program = self.docker.folder / "df"
        program.write_text(f"#!/bin/sh\necho head\necho /dev/x 1 1 {free // 1024} 1% /\n")
        program.chmod(0o755)

    def secret(self, name: str, text: str) -> Path:
        """A file below compose/secrets that its container may read."""
        path = self.compose / "secrets" / name
        path.write_text(text)
        path.chmod(0o644)
        return path

    def look(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it; it never shows a secret."""
        done = self.docker.run(self.compose / "operations/preflight.sh", *arguments)
        assert SECRET not in done.stdout + done.stderr
        assert done.stderr == ""
        return done

    def errors(self, *arguments: str) -> list[str]:
        """What must be mended; the exit status says whether there is any."""
        done = self.look(*arguments)
        found = [line[7:] for line in done.stdout.splitlines() if line.startswith("ERROR  ")]
        assert done.returncode == (1 if found else 0), done.stdout
        return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_host_that_is_well(host: Host) -> None:
    done = host.look()
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    for line in (
        "ok     Docker 28.2.2",
        "ok     docker compose 2.40.3",
        f"ok     port {host.port} is free",
        "ok     network supercheck_supercheck-network is there",
        "ok     memory: 8.0 GiB, of which the services may use 0.8 GiB",
        f"ok     disk: 100.0 GiB free in {host.docker.folder.parent}",
        "ok     compose/secrets/alertmanager/slack_webhook_url",
        "ok     every source that is set answers",
        "note   no lifecycle rules",
    ):
        assert line in lines
    # what is not set is told, each with its setting
    for setting in ("ALERT_DEADMAN_URL_FILE", "EXPORTER_DATABASE_URL_FILE", "S3_BACKUP_BUCKET_NAME", "PUBLIC_URL"):
        assert any(line.startswith("note") and setting in line for line in lines), setting
    assert not any("nobody is paged" in line for line in lines)
    assert lines[-1] == "Nothing has to be mended."
    assert host.docker.asked("^(compose .*(up|down)|start|stop|network create)") == [], "it changes nothing"


def test_every_problem_is_said_at_once_and_each_has_its_mend(host: Host) -> None:
    host.docker.answer("^version", "19.03.15+dfsg1\n")
    host.docker.answer("^compose version", "v2.23.3-desktop.2\n")
    host.docker.answer("^info", f"{GIB // 2} {host.compose} json-file\n")
    host.docker.answer("^network inspect", "", 1)
    host.disk(GIB)
    host.docker.answer(
        "^compose .* run .*check", "error: REDIS_PASSWORD is refused: mend it.\nerror: no such bucket.\n"
    )
    host.settings.write_text(
        f"REDIS_PASSWORD={SECRET}\nALERT_SLACK_WEBHOOK_URL_FILE=/run/secrets/gone\nREDIS_PASSWORD_FILE=/etc/redis\n"
    )
    with socket.create_server(("127.0.0.1", host.port)):
        found = "\n".join(host.errors())
    for words in (
        "Docker 19.03.15+dfsg1 is too old: 20.10",
        "docker compose v2.23.3-desktop.2 is too old: 2.24",
        "Docker has 0.5 GiB of memory and the services may use 0.8 GiB: give it more, or lower PROMETHEUS_MEMORY",
        "1.0 GiB are free where Docker keeps its data",
        f"port {host.port} is taken by another program",
        "there is no network supercheck_supercheck-network: start Supercheck, or run compose/operations/attach.sh",
        "REDIS_PASSWORD stands in compose/.env, so docker inspect shows it",
        "names compose/secrets/alertmanager/gone, which is not there",
        "REDIS_PASSWORD_FILE is /etc/redis: the container sees secrets below /run/secrets only",
        "REDIS_PASSWORD is refused: mend it.",
        "no such bucket.",
    ):
        assert words in found, words


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("", 0o644, "is empty"),
        (None, 0o644, "is still the example"),
        (SECRET, 0o600, "can't be read by its container"),
    ],
)
def test_a_secret_that_is_no_use(host: Host, text: str | None, mode: int, said: str) -> None:
    example = (host.compose / "secrets/alertmanager/pagerduty_routing_key.example").read_text()
    path = host.secret("alertmanager/pagerduty_routing_key", example if text is None else text)
    path.chmod(mode)
    host.settings.write_text("ALERT_PAGERDUTY_ROUTING_KEY_FILE=/run/secrets/pagerduty_routing_key\n")
    (error,) = host.errors()
    assert said in error
    assert "compose/secrets/alertmanager/pagerduty_routing_key" in error


def test_a_folder_that_is_open_to_the_host_s_users_is_a_note(host: Host) -> None:
    (host.compose / "secrets").chmod(0o755)
    done = host.look()
    assert done.returncode == 0
    assert "chmod 700 compose/secrets closes it" in done.stdout


def test_supercheck_s_env_must_be_readable_by_who_reads_it(host: Host) -> None:
    site = host.compose / "site.env"
    host.settings.write_text(f"SUPERCHECK_ENV_FILE={site}\n")
    (error,) = host.errors()
    assert "which is no file: compose/operations/attach.sh finds it" in error
    site.write_text("DATABASE_URL=x\nSECRET_ENCRYPTION_KEY=y\n")
    site.chmod(0o600)
    (error,) = host.errors()
    assert "and is read as 65532:65532: set SUPERCHECK_ENV_OWNER=" in error
    with host.settings.open("a") as file:
        file.write(error.rpartition("set ")[2].rstrip(".") + "\n")
    done = host.look()
    assert done.returncode == 0
    assert "database is not watched" not in done.stdout, "it is in Supercheck's own .env"


@pytest.mark.parametrize(
    ("root", "driver", "said"),
    [
        ("/var/lib/docker", "json-file", "ok     log lines are followed in /var/lib/docker/containers"),
        ("/srv/docker", "json-file", "Docker writes them to /srv/docker/containers: set DOCKER_CONTAINERS="),
        ("/var/lib/docker", "journald", "note   Docker's log driver is journald"),
    ],
)
def test_where_log_lines_are(host: Host, root: str, driver: str, said: str) -> None:
    plan = PLAN.format(port=host.port).replace("services:\n", "services:\n  log-collector:\n    image: x\n")
    host.docker.answer("^compose .* config$", plan)
    host.docker.answer("^info", f"{8 * GIB} {root} {driver}\n")
    done = host.look()
    assert said in done.stdout
    assert done.returncode == (1 if "ERROR" in done.stdout else 0)


def test_the_bundle_s_own_port_is_no_problem(host: Host) -> None:
    running = f"grafana|Up 3 minutes (healthy)|127.0.0.1:{host.port}->3000/tcp\nexporter|Up 3 minutes (healthy)|\n"
    host.docker.answer("^ps --filter", running)
    host.docker.answer("^compose .* exec -T exporter supercheck-exporter check", "ok\n")
    with socket.create_server(("127.0.0.1", host.port)):
        assert host.errors() == []
    assert host.docker.asked("run --rm") == [], "the one that runs is asked"


def test_a_part_that_is_unwell_is_named(host: Host) -> None:
    host.docker.answer("^ps --filter", "prometheus|Up 2 minutes (unhealthy)|\nloki|Restarting (1) 2 seconds ago|\n")
    found = host.errors()
    assert [error.split()[0] for error in found] == ["prometheus", "loki"]


def test_the_plan_of_the_real_files_is_understood(host: Host) -> None:
    plugin = find("docker-compose") or missing("docker's compose plugin (make tools)")
    host.docker.answer("^info", f"{64 * GIB} /var/lib/docker json-file\n")
    plan = subprocess.run(
        [plugin, "-f", "compose/compose.yaml", "config"], cwd=ROOT, capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin", "GRAFANA_PORT": str(host.port)},
    ).stdout  # fmt: skip
    host.docker.answer("^compose .* config$", plan)
    said = host.look().stdout
    assert f"ok     port {host.port} is free" in said
    assert "ok     network supercheck_supercheck-network is there" in said
    assert float(said.partition("the services may use ")[2].split()[0]) > 1.0


def test_a_compose_that_was_built_by_hand_is_judged_by_what_it_takes(host: Host) -> None:
    host.docker.answer("^compose version", "dev\n")
    assert host.errors() == []
    host.docker.answer("^compose .* config$", "", 1)
    assert len(host.errors()) >= 1


def test_settings_that_compose_refuses(host: Host) -> None:
    host.docker.answer("^compose .* config$", "", 15)
    assert any("compose does not take the settings" in error for error in host.errors())


def test_an_image_that_is_not_built_is_a_note(host: Host) -> None:
    host.docker.answer("^image inspect", "", 1)
    done = host.look()
    assert done.returncode == 0
    assert "the exporter's image is not built yet" in done.stdout
    assert host.docker.asked(" check$") == []


def test_a_check_that_dies_is_a_problem(host: Host) -> None:
    host.docker.answer("^compose .* run .*check", "exec: no such file\n", 126)
    assert any("check did not run: exec: no such file" in error for error in host.errors())
    assert host.errors("--no-sources") == []


def test_without_an_answer_from_docker_nothing_can_be_looked_at(host: Host) -> None:
    host.docker.answer("^version", "Cannot connect\n", 1)
    done = host.docker.run(host.compose / "operations/preflight.sh")
    assert done.returncode == 2
    assert "Docker does not answer" in done.stderr
