"""The compose profile redis-cluster, its own scripts on local servers: forms by itself, survives restarts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from servers.process import START_SECONDS, Server, free_port, require_program, wait_for
from servers.redis import LOOPBACK

FOLDER = Path(__file__).resolve().parents[2] / "compose/redis-cluster"
PASSWORD = 'say "hi" \\ there'
KEYS = 50
WHOLE_SECONDS = 60


class Node(Server):
    """One node as node.sh starts it; hosts differ by their ports here, since there is one machine."""

    name = "redis-node"

    def __init__(self, password_file: Path) -> None:
        require_program("redis-server")
        super().__init__()
        self.data = self.directory / "data"
        self.data.mkdir()
        self.env = dict(os.environ) | {
            "NODE": "localhost",
            "NODE_MAXMEMORY": "64mb",
            "REDIS_PASSWORD_FILE": str(password_file),
            "CONF_DIR": str(self.directory),
            "DATA_DIR": str(self.data),
        }
        self.move()

    def move(self) -> None:
        """Get another address with the next start, as a container does."""
        self.port, self.bus = free_port(), free_port()

    def command(self) -> list[str | Path]:
        return [
            FOLDER / "node.sh", "--port", str(self.port), "--cluster-port", str(self.bus), "--bind", LOOPBACK,
            "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0",
        ]  # fmt: skip

    def connect(self, password: str = PASSWORD) -> Any:
        """A new client."""
        return redis.Redis(host=LOOPBACK, port=self.port, password=password, decode_responses=True)

    def ready(self) -> bool:
        return bool(self.run("PING"))

    def run(self, *words: object) -> Any:
        """One command."""
        with self.connect() as client:
            return client.execute_command(*words)


class Site:
    """Six nodes and their keeper."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password_file = folder / "redis_password"
        self.password_file.write_text(PASSWORD + "\n")
        self.nodes = [Node(self.password_file) for _ in range(6)]

    def start(self) -> None:
        """Start all nodes that do not run."""
        for node in self.nodes:
            if not node.running():
                node.launch()
        for node in self.nodes:
            node.wait_ready(START_SECONDS)

    def stop(self) -> None:
        """End all nodes and remove their data."""
        for node in self.nodes:
            node.stop()

    def keep(self) -> str:
        """Run the keeper until the cluster is whole; what it said."""
        env = dict(os.environ) | {
            "NODES": " ".join(f"localhost:{node.port}:{node.bus}" for node in self.nodes),
            "REDIS_PASSWORD_FILE": str(self.password_file),
            "STATE_DIR": str(self.folder),
            "ONCE": "1",
        }
        done = subprocess.run(
            [FOLDER / "keeper.sh"], env=env, capture_output=True, text=True, timeout=WHOLE_SECONDS, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert (self.folder / "whole").exists()
        return done.stdout

    def client(self) -> Any:
        """A client of the cluster."""
        return redis.RedisCluster(host="localhost", port=self.nodes[0].port, password=PASSWORD, decode_responses=True)

    def check_whole(self) -> None:
        """Every node calls the cluster ok and has found all others, and each of three masters has a replica."""
        view = self.nodes[0].run("CLUSTER NODES")
        alive = [row for row in view.values() if "fail" not in row["flags"]]
        masters = [row["node_id"] for row in alive if "master" in row["flags"]]
        followed = sorted(row["master_id"] for row in alive if "slave" in row["flags"])
        assert len(masters) == 3
        assert followed == sorted(masters)
        for node in self.nodes:
            info = node.run("CLUSTER INFO")
            assert (info["cluster_state"], info["cluster_slots_assigned"]) == ("ok", "16384")
            others = [row for row in node.run("CLUSTER NODES").values() if "myself" not in row["flags"]]
            assert len(others) == len(self.nodes) - 1
            assert all(row["connected"] and "noaddr" not in row["flags"] for row in others), others


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Six empty nodes that run."""
    made = Site(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def stay(nodes: list[Node]) -> None:
    """As `docker compose restart` leaves them."""


def move(nodes: list[Node]) -> None:
    """All get other addresses."""
    for node in nodes:
        node.move()


def swap(nodes: list[Node]) -> None:
    """Two masters get each other's address, and take one another for strangers."""
    one, two = nodes[1:3]
    (one.port, one.bus), (two.port, two.bus) = (two.port, two.bus), (one.port, one.bus)


def test_it_forms_and_survives_restarts_and_new_addresses(site: Site) -> None:
    assert site.keep().endswith("the cluster is whole\n")
    site.check_whole()
    with site.client() as client:
        for number in range(KEYS):
            client.set(f"key-{number}", number)
    assert site.nodes[0].run("CONFIG GET", "maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    ids = {node.run("CLUSTER MYID") for node in site.nodes}

    for change in (stay, move, swap):
        for node in site.nodes:
            node.terminate()
        change(site.nodes)
        (site.folder / "whole").unlink()
        site.start()
        site.keep()
        site.check_whole()
        assert {node.run("CLUSTER MYID") for node in site.nodes} == ids
        with site.client() as client:
            assert [client.get(f"key-{number}") for number in range(KEYS)] == [str(n) for n in range(KEYS)]

    # it changes nothing that is well
    before = site.nodes[0].run("CLUSTER NODES")
    assert site.keep() == "the cluster is whole\n"
    after = site.nodes[0].run("CLUSTER NODES")
    assert [(name, row["flags"], row["slots"]) for name, row in after.items()] == [
        (name, row["flags"], row["slots"]) for name, row in before.items()
    ]


def test_what_was_half_made_is_finished_and_a_lost_volume_is_filled_again(site: Site) -> None:
    one, two, *_ = site.nodes
    one.run("CLUSTER ADDSLOTSRANGE", 0, 5460)
    one.run("CLUSTER MEET", LOOPBACK, two.port, two.bus)
    site.keep()
    site.check_whole()
    lost = next(node for node in site.nodes if node.run("ROLE")[0] == "slave")
    lost.kill()
    for path in sorted(lost.data.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    wait_for(
        lambda: any("fail" in row["flags"].split(",") for row in one.run("CLUSTER NODES").values()),
        WHOLE_SECONDS,
        "its failure is agreed on",
    )
    lost.start()
    site.keep()
    assert lost.run("ROLE")[0] == "slave"
    for node in site.nodes:
        assert node.run("CLUSTER INFO")["cluster_state"] == "ok"


def test_clients_are_told_names_and_need_the_password(site: Site) -> None:
    site.keep()
    endpoints = {node[0] for part in site.nodes[0].run("CLUSTER SLOTS") for node in part[2:]}
    assert endpoints == {"localhost"}
    with site.nodes[0].connect("wrong") as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    for node in site.nodes:
        assert (node.directory / "redis.conf").stat().st_mode & 0o077 == 0, "it holds the password"


def test_a_node_without_its_password_says_so_and_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [FOLDER / "node.sh"],
        env=dict(os.environ) | {"REDIS_PASSWORD_FILE": str(tmp_path), "NODE": "x", "CONF_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=START_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "write the cluster's password" in done.stderr


# -- the compose file ------------------------------------------------------------------------------

COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["profiles"] == ["redis-cluster"]
    assert service["user"] == "999:999"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service
    assert service["pids_limit"] > 0
    assert service["mem_limit"]
    assert service["logging"]["options"]["max-size"]
    assert service["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])


def test_every_node_has_its_own_name_and_volume_and_the_keeper_knows_all() -> None:
    named = {name for name in SERVICES if name.startswith("redis-node-")}
    assert {SERVICES[name]["environment"]["NODE"] for name in named} == named
    assert {SERVICES[name]["volumes"][0] for name in named} == {f"{name}:/data" for name in named}
    assert set(COMPOSE["volumes"]) == named
    known = SERVICES["redis-keeper"]["environment"]["NODES"].split()
    assert known == sorted(f"{name}:6379" for name in named)
    assert len(named) == 6
