"""compose/operations/attach.sh finds Supercheck's own compose project, with a docker that answers as one would."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from contract.feature_list import ROOT
from servers.fake_docker import FakeDocker, checkout

IMAGE = "ghcr.io/supercheck-io/supercheck"
NETWORK = "supercheck_supercheck-network"
SECRET = "canary-4f1c-secret"


class Site:
    """A host: containers as `docker ps` lists them, and the networks that they are on."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self.compose = checkout(ROOT, folder / "bundle")
        self.docker = FakeDocker(folder / "bin")
        self.home = folder / "supercheck"
        self.home.mkdir()
        self.env = self.home / ".env"
        self.env.write_text(f"REDIS_PASSWORD={SECRET}\nDATABASE_URL=postgresql://x\nAWS_SECRET_ACCESS_KEY={SECRET}\n")
        self.env.chmod(0o600)
        self._lines: list[str] = []

    def container(self, service: str, image: str, *, project: str = "supercheck", state: str = "running") -> None:
        """One more container of a compose project."""
        number = f"id{len(self._lines)}"
        self._lines.append(f"{number}|{project}|{service}|{image}|{state}\n")
        self.docker.answer("^ps --all", "".join(self._lines))
        self.docker.answer(f"^inspect .*Networks.* {number}$", f"{NETWORK} \n")
        self.docker.answer(f"^inspect .*working_dir.* {number}$", f"{self.home}\n")

    def whole(self) -> None:
        """Supercheck's quick start."""
        self.container("app", f"{IMAGE}/app:1.3.5")
        self.container("worker", f"{IMAGE}/worker:1.3.5")
        self.container("redis", "redis:8")
        self.container("postgres", "postgres:18")
        self.container("minio", "minio/minio:latest")

    def attach(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it; it never shows a secret."""
        done = self.docker.run(self.compose / "operations/attach.sh", *arguments)
        assert SECRET not in done.stdout + done.stderr
        return done

    @property
    def settings(self) -> Path:
        """compose/.env."""
        return self.compose / ".env"

    def entries(self) -> dict[str, str]:
        """The settings that stand in compose/.env."""
        lines = self.settings.read_text().splitlines() if self.settings.exists() else []
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_quick_start_is_found_and_written_down(site: Site) -> None:
    site.whole()
    done = site.attach()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    owner = f"{os.getuid()}:{os.getgid()}"
    wanted = {
        "SUPERCHECK_NETWORK": NETWORK,
        "SUPERCHECK_ENV_FILE": str(site.env),
        "SUPERCHECK_ENV_OWNER": owner,
        "S3_ENDPOINT": "http://minio:9000",
    }
    assert site.entries() == wanted
    assert f'compose project "supercheck" in {site.home}' in done.stdout
    for line in (f"app        {IMAGE}/app:1.3.5, running", f".env       {site.env}, read as its owner {owner}"):
        assert line in done.stdout
    for name, value in wanted.items():
        assert f"  +{name}={value}\n" in done.stdout, "the difference is shown"
    assert "capacity   not set (RUNNING_CAPACITY QUEUED_CAPACITY)" in done.stdout
    assert "exporters/sql/role.sql" in done.stdout
    assert site.settings.stat().st_mode & 0o777 == 0o600
    # asked and not told: nothing of Supercheck is changed
    assert site.docker.asked(r"^(?!ps |inspect |version |info )") == []


def test_a_second_time_changes_nothing(site: Site) -> None:
    site.whole()
    site.attach()
    before = site.settings.read_bytes()
    done = site.attach()
    assert done.returncode == 0
    assert "compose/.env says so already." in done.stdout
    assert site.settings.read_bytes() == before


def test_what_a_person_set_stays_and_is_not_shown(site: Site) -> None:
    site.whole()
    site.settings.write_text(f"# mine\nSUPERCHECK_NETWORK=mine\nSMTP_HOST={SECRET}\n")
    done = site.attach()
    assert done.returncode == 0
    assert site.settings.read_text().startswith(f"# mine\nSUPERCHECK_NETWORK=mine\nSMTP_HOST={SECRET}\n# attach: begin")
    assert site.settings.read_text().count("SUPERCHECK_NETWORK") == 1
    assert f"yours      SUPERCHECK_NETWORK=mine stays (found: {NETWORK})" in done.stdout


def test_a_site_that_has_moved_replaces_only_its_own_lines(site: Site) -> None:
    site.whole()
    site.attach()
    site.settings.write_text("ABOVE=1\n" + site.settings.read_text() + "BELOW=2\n")
    site.docker.answer("^inspect .*Networks", "elsewhere \n")
    site.attach()
    entries = site.entries()
    assert (entries["ABOVE"], entries["BELOW"], entries["SUPERCHECK_NETWORK"]) == ("1", "2", "elsewhere")
    assert site.settings.read_text().count("SUPERCHECK_NETWORK") == 1


def test_a_dry_run_writes_nothing(site: Site) -> None:
    site.whole()
    done = site.attach("--dry-run")
    assert done.returncode == 0
    assert "compose/.env would change:" in done.stdout
    assert not site.settings.exists()


def test_without_a_supercheck_it_says_what_was_looked_for(site: Site) -> None:
    site.container("web", "nginx:1", project="shop")
    # our own demo is no site to attach to
    site.container("app", "supercheck-app:latest", project="supercheck-observability")
    done = site.attach()
    assert done.returncode == 1
    for word in ("No Supercheck was found", "REDIS_HOST", "SUPERCHECK_NETWORK", "--profile demo"):
        assert word in done.stdout
    assert not site.settings.exists()


def test_of_several_a_person_chooses(site: Site) -> None:
    site.whole()
    site.container("app", "supercheck-app:latest", project="staging")
    done = site.attach()
    assert done.returncode == 1
    assert "Choose one with --project: staging supercheck" in done.stdout
    assert site.attach("--project", "supercheck").returncode == 0
    assert site.entries()["SUPERCHECK_NETWORK"] == NETWORK
    wrong = site.attach("--project", "no-such")
    assert wrong.returncode == 2
    assert "There are: staging supercheck" in wrong.stderr


def test_other_names_and_external_parts(site: Site) -> None:
    """Coolify calls its Redis otherwise; remote workers are on no network of this host."""
    site.env.write_text("REDIS_PASSWORD=x\n")
    site.docker.answer("^info", "/srv/docker\n")
    site.container("app", f"{IMAGE}/app:latest")
    site.container("supercheck-redis", "redis:8", state="exited")
    done = site.attach()
    assert done.returncode == 0, done.stdout
    entries = site.entries()
    assert entries["REDIS_HOST"] == "supercheck-redis"
    assert entries["SUPERCHECK_WORKER_URL"] == ""
    assert entries["DOCKER_CONTAINERS"] == "/srv/docker/containers", "the log collector follows the files there"
    assert "SUPERCHECK_APP_URL" not in entries
    assert "redis      redis:8, exited: what it holds is read once it runs" in done.stdout
    assert "database   not set" in done.stdout
    assert "storage    not set" in done.stdout


def test_an_env_file_that_is_not_there_is_a_problem_with_its_mend(site: Site) -> None:
    site.whole()
    site.env.unlink()
    done = site.attach()
    assert done.returncode == 1
    assert f".env       NOT FOUND: {site.env} is not a file. Set SUPERCHECK_ENV_FILE in compose/.env" in done.stdout
    assert site.entries()["SUPERCHECK_NETWORK"] == NETWORK, "what was found is written all the same"
    site.settings.write_text(f"SUPERCHECK_ENV_FILE={site.home}/other\n" + site.settings.read_text())
    (site.home / "other").write_text("REDIS_PASSWORD=x\n")
    assert site.attach().returncode == 0


def test_a_path_with_a_blank_is_quoted_for_compose(site: Site) -> None:
    site.home = site.home.rename(site.home.with_name("super check $1"))
    site.whole()
    assert site.attach().returncode == 0
    assert site.entries()["SUPERCHECK_ENV_FILE"] == f"'{site.home}/.env'"
    before = site.settings.read_bytes()
    assert site.attach().returncode == 0
    assert site.settings.read_bytes() == before


def test_without_docker_it_says_so(site: Site) -> None:
    site.docker.answer("^version", "Cannot connect to the Docker daemon\n", 1)
    done = site.attach()
    assert done.returncode == 2
    assert "Docker does not answer: start it, or let this user ask it" in done.stderr
    assert site.attach("--wrong").returncode == 2
