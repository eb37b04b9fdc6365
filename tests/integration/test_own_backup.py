"""backup.sh and restore.sh of compose/operations: silences and history of real servers are back after a restore."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from contract.feature_list import ROOT
from servers.fake_docker import FakeDocker, checkout
from servers.monitoring import Alertmanager, Prometheus
from servers.process import missing, wait_for

PROJECT = "supercheck-observability"
PLAN = "services:\n  exporter:\n    image: supercheck-exporter:0.1.0\n"
ROUTES = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
SECRET = "canary-18cc-secret"
STORES = ("alertmanager", "grafana", "prometheus")


class Bundle:
    """compose/operations with a docker whose volumes are folders of this machine."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self.compose = checkout(ROOT, folder / "bundle")
        self.docker = FakeDocker(folder / "bin")
        self.volumes = {
            f"{PROJECT}_{name}": folder / "volumes" / name for name in (*STORES, "grafana-secrets", "front")
        }
        for path in self.volumes.values():
            path.mkdir(parents=True)
            (path / "what").write_text(path.name)
        (self.volume("grafana-secrets") / "admin_password").write_text(SECRET)
        (self.compose / ".env").write_text("SMTP_HOST=smtp\n")
        (self.compose / "secrets/alertmanager/deadman_url").write_text(SECRET)
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text("a long one that is kept elsewhere\n")
        self.docker.answer("^compose .* config$", PLAN)
        self.docker.answer("^compose .* config --images$", "prom/prometheus:v3.13.3\n")
        for name, path in self.volumes.items():
            self.docker.answer(rf"^volume ls .*compose\.volume={path.name} ", f"{name}\n")
        self.runs()

    def volume(self, name: str) -> Path:
        """The folder of a volume."""
        return self.volumes[f"{PROJECT}_{name}"]

    def runs(self, *services: str, pids: Sequence[int] = ()) -> None:
        """These services run, as these processes."""
        self.docker.answer("^ps ", "".join(f"{service}\n" for service in services))
        self.docker.engine(self.volumes, dict(zip(services, pids, strict=False)))

    def call(self, script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of the scripts; it never shows a secret."""
        done = self.docker.run(self.compose / "operations" / script, *arguments)
        assert SECRET not in done.stdout + done.stderr
        return done

    def backup(self, *arguments: str | Path) -> Path:
        """Back up; the file that it wrote."""
        before = set(self.archives())
        done = self.call("backup.sh", *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        (made,) = set(self.archives()) - before
        assert "read back and well" in done.stdout
        return made

    def archives(self) -> list[Path]:
        """What lies in the folder of backups, hidden files as well."""
        folder = self.compose.parent / "backups"
        return list(folder.iterdir()) if folder.exists() else []


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle(tmp_path)


def members(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        return archive.getnames()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Prometheus, Alertmanager]]:
    """A Prometheus that watches itself, and an Alertmanager."""
    rules, routes = tmp_path / "prometheus.yml", tmp_path / "alertmanager.yml"
    routes.write_text(ROUTES)
    rules.write_text("scrape_configs: []\n")
    prometheus = Prometheus(rules)
    job = {"job_name": "own", "static_configs": [{"targets": [prometheus.address]}]}
    rules.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}))  # JSON is YAML
    with prometheus, Alertmanager(routes) as alertmanager:
        yield prometheus, alertmanager


@pytest.mark.promise("back after a restore")
def test_silences_history_and_dashboards_are_back(
    bundle: Bundle, servers: tuple[Prometheus, Alertmanager], tmp_path: Path
) -> None:
    prometheus, alertmanager = servers
    silence = alertmanager.silence(queue="k6")
    wait_for(lambda: prometheus.value('up{job="own"}') == 1, 60, "Prometheus has a sample")
    known = time.time()
    shutil.rmtree(bundle.volume("prometheus"))
    shutil.rmtree(bundle.volume("alertmanager"))
    bundle.volumes |= {
        f"{PROJECT}_prometheus": prometheus.directory / "data",
        f"{PROJECT}_alertmanager": alertmanager.directory / "data",
    }
    for name in ("prometheus", "alertmanager"):
        bundle.docker.answer(rf"^volume ls .*compose\.volume={name} ", f"{PROJECT}_{name}\n")
    with sqlite3.connect(bundle.volume("grafana") / "grafana.db") as database:
        database.execute("CREATE TABLE star AS SELECT 'supercheck-queues' AS dashboard")
    database.close()
    bundle.runs("prometheus", "alertmanager", "grafana", pids=[prometheus.pid, alertmanager.pid])
    archive = bundle.backup()
    # each is away only while it is copied
    order = [line.split("compose.yaml ")[1] for line in bundle.docker.asked("^compose .* (stop|start) ")]
    assert order == [f"{verb} {name}" for name in STORES for verb in ("stop", "start")]

    for server in servers:
        server.terminate()  # has ended already
        shutil.rmtree(server.directory / "data")
        (server.directory / "data").mkdir()
    for server in servers:
        server.start()
    assert alertmanager.get("/api/v2/silences") == []
    (bundle.volume("grafana") / "grafana.db").write_text("somebody broke it")
    bundle.runs("prometheus", "alertmanager", "grafana", pids=[prometheus.pid, alertmanager.pid])
    done = bundle.call("restore.sh", archive, "--yes")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert bundle.docker.asked("^compose .* start alertmanager grafana prometheus$"), "what ran is started again"

    for server in servers:
        server.terminate()
        server.start()
    assert [found["id"] for found in alertmanager.get("/api/v2/silences")] == [silence]
    old = prometheus.get("/api/v1/query", {"query": 'max_over_time(up{job="own"}[1m])', "time": str(known)})
    assert old["data"]["result"][0]["value"][1] == "1"
    with sqlite3.connect(bundle.volume("grafana") / "grafana.db") as database:
        assert database.execute("SELECT dashboard FROM star").fetchall() == [("supercheck-queues",)]
    database.close()


def test_without_a_passphrase_no_secret_is_in_it(bundle: Bundle) -> None:
    archive = bundle.backup()
    assert members(archive) == ["MANIFEST", "alertmanager.tar", "grafana.tar", "prometheus.tar"]
    assert SECRET.encode() not in archive.read_bytes()
    assert archive.stat().st_mode & 0o077 == 0
    with tarfile.open(archive) as opened:
        manifest = opened.extractfile("MANIFEST")
        assert manifest is not None
        assert "image prom/prometheus:v3.13.3\n" in manifest.read().decode()
    assert bundle.docker.asked("(stop|start)") == [], "nothing ran"


def test_history_can_be_left_out_and_a_folder_be_named(bundle: Bundle) -> None:
    folder = bundle.compose.parent / "else where"
    done = bundle.call("backup.sh", "--without-history", "--to", folder)
    assert done.returncode == 0, done.stderr
    (archive,) = folder.iterdir()
    assert members(archive) == ["MANIFEST", "alertmanager.tar", "grafana.tar"]
    assert bundle.call("restore.sh", archive).returncode == 0


def test_with_one_they_are_encrypted_and_come_back(bundle: Bundle) -> None:
    if shutil.which("gpg") is None:
        missing("gpg")
    archive = bundle.backup("--passphrase-file", bundle.passphrase)
    assert set(members(archive)) >= {"settings.tar.gpg", "grafana-secrets.tar.gpg", "front.tar.gpg"}
    assert SECRET.encode() not in archive.read_bytes()

    settings, own = bundle.compose / ".env", bundle.compose / "secrets/alertmanager/deadman_url"
    settings.write_text("SMTP_HOST=another\n")
    own.unlink()
    (bundle.volume("grafana-secrets") / "admin_password").write_text("made anew")
    # without the passphrase they stay as they are
    done = bundle.call("restore.sh", archive)
    assert done.returncode == 0, done.stderr
    assert "grafana-secrets: needs --passphrase-file, left as it is" in done.stdout
    assert not own.exists()
    wrong = bundle.compose / "wrong"
    wrong.write_text("x\n")
    done = bundle.call("restore.sh", archive, "--passphrase-file", wrong)
    assert done.returncode == 1
    assert "is it the right passphrase? Nothing was changed." in done.stderr

    done = bundle.call("restore.sh", archive, "--passphrase-file", bundle.passphrase)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert (bundle.volume("grafana-secrets") / "admin_password").read_text() == SECRET
    assert own.read_text() == SECRET
    assert settings.read_text() == "SMTP_HOST=another\n", "what is there is never replaced"
    assert "compose/.env is yours and stays; the one in the backup differs" in done.stdout


def test_a_bundle_that_runs_is_not_restored_over(bundle: Bundle) -> None:
    archive = bundle.backup()
    (bundle.volume("grafana") / "what").write_text("newer")
    bundle.runs("front", "grafana", "prometheus")
    done = bundle.call("restore.sh", archive)
    assert done.returncode == 1
    assert "the bundle runs (front grafana prometheus)" in done.stderr
    assert "Nothing was changed." in done.stderr
    assert (bundle.volume("grafana") / "what").read_text() == "newer"
    assert bundle.docker.asked("compose .* (stop|up)") == []
    assert bundle.call("restore.sh", archive, "--yes").returncode == 0
    # by name, since compose would leave those of a profile alone
    assert [line.split("compose.yaml ")[1] for line in bundle.docker.asked("compose .* (stop|start) ")] == [
        "stop front grafana prometheus",
        "start front grafana prometheus",
    ]


def test_what_is_restored_replaces_all_that_was_there(bundle: Bundle) -> None:
    archive = bundle.backup()
    (bundle.volume("grafana") / "left over").write_text("x")
    (bundle.volume("grafana") / "what").write_text("newer")
    assert bundle.call("restore.sh", archive).returncode == 0
    assert sorted(path.name for path in bundle.volume("grafana").iterdir()) == ["what"]
    assert (bundle.volume("grafana") / "what").read_text() == "grafana"
    # made before they are filled, so that each belongs to the user of its image
    (made,) = bundle.docker.asked("up --no-start")
    assert made.endswith("up --no-start alertmanager grafana prometheus")
    users = {line.split("--user ")[1].split()[0] for line in bundle.docker.asked("^run .*:/data:rw")}
    assert users == {"65534:65534", "472:472"}
    assert all("--network none --read-only --cap-drop ALL" in line for line in bundle.docker.asked("^run "))


@pytest.mark.parametrize("damage", ["cut", "changed", "another file"])
def test_a_damaged_file_changes_nothing(bundle: Bundle, damage: str) -> None:
    archive = bundle.backup()
    data = bytearray(archive.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "changed":
        # in the middle of the contents of a part
        place = data.index(b"prometheus", data.index(b"prometheus.tar", 4096))
        data[place + 600] ^= 1
    else:
        data = bytearray(b"no archive")
    archive.write_bytes(data)
    (bundle.volume("alertmanager") / "what").write_text("newer")
    done = bundle.call("restore.sh", archive, "--yes")
    assert done.returncode == 1
    assert "Nothing was changed." in done.stderr
    assert (bundle.volume("alertmanager") / "what").read_text() == "newer"


def test_a_copy_that_fails_leaves_no_file_and_what_ran_runs_again(bundle: Bundle) -> None:
    bundle.runs("alertmanager", "grafana", "prometheus")
    bundle.docker.answer(f"^run .*{PROJECT}_grafana:", "half of", 1)
    done = bundle.call("backup.sh")
    assert done.returncode == 1
    assert "nothing was written" in done.stderr
    assert bundle.archives() == []
    assert bundle.docker.asked("^compose .* (stop|start) ")[-1].endswith(" start grafana")


def test_a_host_without_the_bundle(bundle: Bundle) -> None:
    bundle.docker.answer("^volume ls", "")
    done = bundle.call("backup.sh")
    assert done.returncode == 1
    assert "There is nothing to back up" in done.stderr
    assert bundle.archives() == []
    assert bundle.call("backup.sh", "--wrong").returncode == 2
    assert bundle.call("restore.sh").returncode == 2
    assert bundle.call("restore.sh", "no-such").returncode == 2


def test_the_help_says_which_backup_it_is(bundle: Bundle) -> None:
    for script in ("backup.sh", "restore.sh"):
        done = bundle.call(script, "--help")
        assert done.returncode == 0
        assert "Supercheck's database" in done.stdout
        assert "set -e" not in done.stdout
