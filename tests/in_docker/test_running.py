"""The bundle as it runs: what it watches, with which rights, and who can reach it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers.bundle import LEFT_OUT, ROOT, Bundle
from servers.docker_engine import DockerEngine
from servers.process import missing, wait_for

# the one that reads Docker's log files: stack.md calls for user 0 with this one capability
READS_LOGS = {"log-collector"}
DAC_READ_SEARCH = 1 << 2
# in front of people; all but Grafana by a profile that was asked for
PUBLISHED = {("grafana", 3000), ("edge", 8080), ("front", 8443)}
# what Supercheck's own containers may reach; the demo's stores and the cluster's nodes are Supercheck's
FROM_SUPERCHECK = {("exporter", 9820), ("pgbouncer", 6432), ("edge", 8080)}
# spans and lines in; the collector's health, its own numbers and those that it makes of spans listen on every address
FROM_SUPERCHECK |= {("otel-collector", port) for port in (4317, 4318, 8888, 8889, 13133)}
# the collectors of what this bundle runs beside
EVERY_SOURCE = {"queues", "queue_events", "workers", "redis", "postgres", "pgbouncer", "edge"}

PROBE = """
import concurrent.futures as futures, socket, sys
def answers(target):
    host, port = target.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), 2).close()
    except OSError:
        return False
    return True
targets = sys.stdin.read().split()
with futures.ThreadPoolExecutor(64) as pool:
    print(*[target for target, up in zip(targets, pool.map(answers, targets)) if up])
"""


def test_every_target_is_up(bundle: Bundle) -> None:
    configured = yaml.safe_load(bundle.execute("prometheus", "cat", "/config/prometheus/prometheus.yml"))
    wanted = {job["job_name"]: "1" for job in configured["scrape_configs"]}
    assert {"supercheck-exporter", "prometheus", "alertmanager"} <= set(wanted)

    def seen() -> bool:
        return {one["metric"]["job"]: one["value"][1] for one in bundle.query("up")} == wanted

    wait_for(seen, 90, f"up is 1 of {sorted(wanted)}")


def test_every_collector_succeeds(bundle: Bundle) -> None:
    def states() -> dict[str, str]:
        return {
            one["metric"]["collector"]: one["value"][1] for one in bundle.query("supercheck_scrape_collector_success")
        }

    found: dict[str, str] = {}

    def settled() -> bool:
        nonlocal found
        found = states()
        return set(found) >= EVERY_SOURCE and "0" not in found.values()

    try:
        wait_for(settled, 120, "every collector succeeds")
    except AssertionError:
        pytest.fail(f"{found}\n{bundle.compose('logs', '--tail', '20', 'exporter')}")


def test_every_rule_is_loaded(bundle: Bundle) -> None:
    """Whether each can be evaluated is asked later (test_when_broken.py): some are only once in 5 minutes."""
    files = [*(ROOT / "alert-rules/alerts").glob("*.yaml"), *(ROOT / "alert-rules/recording").glob("*.yaml")]
    shipped = [
        rule.get("alert") or rule.get("record")
        for path in files
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]
    assert sorted(rule["name"] for rule in bundle.rules()) == sorted(shipped)


def test_the_site_s_numbers_arrive(bundle: Bundle) -> None:
    """From the demo's worker through Redis, exporter and Prometheus."""
    wait_for(lambda: bundle.query("supercheck_workers > 1"), 120, "both workers of the demo are counted")
    wait_for(lambda: bundle.query("sum(supercheck_queue_jobs_completed_total) > 0"), 180, "completed jobs are counted")


@pytest.fixture(scope="module")
def running(bundle: Bundle) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in bundle.containers().items() if one["State"]["Running"]}


def test_no_container_has_more_rights_than_it_needs(running: dict[str, dict[str, Any]]) -> None:
    """Asked of Docker, and of the kernel about the process itself."""
    assert len(running) > 10
    for name, one in running.items():
        host = one["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        added = [right.removeprefix("CAP_") for right in host["CapAdd"] or ()]
        assert added == (["DAC_READ_SEARCH"] if name in READS_LOGS else []), name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert (host["Privileged"], host["NetworkMode"] == "host", host["PidMode"]) == (False, False, ""), name
        assert not any("docker.sock" in mount["Source"] for mount in one["Mounts"]), name
        facts = Path(f"/proc/{one['State']['Pid']}/status").read_text(encoding="utf-8")
        status = dict(line.split(":\t", 1) for line in facts.splitlines() if ":\t" in line)
        assert (status["Uid"].split()[1] == "0") == (name in READS_LOGS), name
        assert int(status["CapEff"], 16) & ~(DAC_READ_SEARCH if name in READS_LOGS else 0) == 0, name
        assert status["NoNewPrivs"] == "1", name


def test_every_container_is_bounded(running: dict[str, dict[str, Any]]) -> None:
    for name, one in running.items():
        host = one["HostConfig"]
        assert 0 < host["Memory"] <= 1 << 30, name
        assert 0 < host["PidsLimit"] <= 512, name
        assert host["RestartPolicy"]["Name"] == "unless-stopped", name
        assert host["LogConfig"]["Type"] == "json-file", name
        assert {"max-size", "max-file", "labels", "tag"} <= set(host["LogConfig"]["Config"]), name


def test_the_whole_at_rest_fits_into_two_and_a_half_gibibytes(
    engine: DockerEngine, bundle: Bundle, running: dict[str, dict[str, Any]]
) -> None:
    """What runs without a profile: measured where it runs here, else its limit; a stand-in of Grafana is none."""
    default = {
        name: int(one["mem_limit"]) for name, one in bundle.config()["services"].items() if "profiles" not in one
    }
    kept = {name: limit for name, limit in default.items() if name not in bundle.once()}
    used = {}
    for name in sorted(running):
        said = engine.run("stats", "--no-stream", "--format", "{{.MemUsage}}", running[name]["Id"]).stdout
        number, unit = re.match(r"([\d.]+)([KMG]iB)", said).groups()  # type: ignore[union-attr]
        used[name] = float(number) * {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[unit]
    print(*(f"{name:<18} {size:6.1f} MiB" for name, size in used.items()), sep="\n")
    measured = {name: used[name] for name in kept if name in used and name != "grafana"}
    assert {"exporter", "prometheus", "alertmanager", "otel-collector", "jaeger"} <= set(measured)
    limits = {name: limit / 2**20 for name, limit in kept.items() if name not in measured}
    assert set(limits) >= {"grafana", *LEFT_OUT}
    whole = sum(measured.values()) + sum(limits.values())
    print(f"measured {sum(measured.values()):.0f} MiB, the limits of the rest with it {whole:.0f} MiB")
    assert whole < 2.5 * 1024


def test_nothing_secret_is_told_by_docker(engine: DockerEngine, bundle: Bundle) -> None:
    """The word that stands in every secret file: in no container's settings, in no log, in no image's history."""
    everything = json.dumps(list(bundle.containers().values()))
    assert bundle.word not in everything
    assert bundle.word not in bundle.compose("logs", "--no-color")
    made = bundle.execute("grafana", "cat", "/run/secrets/secret_key").strip()
    assert len(made) >= 24, "made at the first start"
    assert made not in everything


def listening(pid: int) -> Iterator[int]:
    """TCP ports that something listens on in the network of a process, on any address but the loopback's."""
    for kind in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{kind}").read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            address, port = local.split(":")
            loopback = address.endswith("7F") or address == "00000000000000000000000001000000"
            if state == "0A" and not loopback:
                yield int(port, 16)


@pytest.fixture(scope="module")
def open_ports(bundle: Bundle, running: dict[str, dict[str, Any]]) -> dict[str, tuple[str, int]]:
    """ "address:port" -> (service, port): everything that listens in any container, on each of its addresses."""
    found = {
        f"{address}:{port}": (service, port)
        for service, _, address in bundle.addresses()
        if service in running
        for port in listening(running[service]["State"]["Pid"])
    }
    assert {("exporter", 9820), ("prometheus", 9090), ("grafana", 3000)} <= set(found.values())
    return found


def answered_in(engine: DockerEngine, network: str, ports: dict[str, tuple[str, int]]) -> set[tuple[str, int]]:
    """What answers a container that is in this network and in no other."""
    image = "python:3.13.9-slim-bookworm"
    words = ["run", "--rm", "--interactive", f"--network={network}", "--entrypoint=python3", image, "-c", PROBE]
    return {ports[target] for target in engine.run(*words, text=" ".join(ports)).stdout.split()}


def test_inside_its_network_everything_answers(
    engine: DockerEngine, bundle: Bundle, open_ports: dict[str, tuple[str, int]]
) -> None:
    """Or the scans below would prove nothing."""
    inside = answered_in(engine, f"{bundle.project}_monitoring", open_ports)
    assert {("exporter", 9820), ("prometheus", 9090), ("alertmanager", 9093), ("grafana", 3000)} <= inside


def test_supercheck_s_containers_reach_what_is_for_them(
    engine: DockerEngine, bundle: Bundle, open_ports: dict[str, tuple[str, int]]
) -> None:
    answered = answered_in(engine, bundle.network, open_ports)
    theirs = {one for one in answered if one[0].startswith(("demo-", "redis-node-"))}
    assert ("demo-redis", 6379) in theirs
    assert answered - theirs <= FROM_SUPERCHECK
    assert {("exporter", 9820), ("otel-collector", 4318)} <= answered


def test_other_containers_of_the_host_reach_nothing(
    engine: DockerEngine, bundle: Bundle, open_ports: dict[str, tuple[str, int]]
) -> None:
    network = f"{bundle.project}-stranger"
    engine.run("network", "create", network)
    try:
        assert answered_in(engine, network, open_ports) == set()
    finally:
        engine.run("network", "rm", network)


def test_another_machine_reaches_grafana_at_most(bundle: Bundle, open_ports: dict[str, tuple[str, int]]) -> None:
    """A namespace with a cable to this machine, which even sends packets for the containers' addresses through it."""
    if os.geteuid() != 0:
        missing("root, who can make a network namespace,")
    forwards = subprocess.run(["iptables", "-S", "FORWARD"], check=True, capture_output=True, text=True).stdout
    if not forwards.startswith("-P FORWARD DROP"):
        pytest.skip("this machine forwarded everybody's packets before Docker came, which then leaves it at that")
    name, mine, theirs = f"e2e{os.getpid()}", "10.213.97.1", "10.213.97.2"
    here, there = f"a{os.getpid()}", f"b{os.getpid()}"
    inside = ["ip", "netns", "exec", name]

    def run(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True)

    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        run("ip", "address", "add", f"{mine}/30", "dev", here)
        run("ip", "link", "set", here, "up")
        run(*inside, "ip", "address", "add", f"{theirs}/30", "dev", there)
        run(*inside, "ip", "link", "set", there, "up")
        run(*inside, "ip", "route", "add", "default", "via", mine)
        with socket.create_server((mine, 0)) as heard:
            # the cable works; then every container's port, and the published ones on this machine's address
            known = f"{mine}:{heard.getsockname()[1]}"
            host = [f"{mine}:{port}" for port in (bundle.grafana_port, 9820, 9090, 9093, 3000, 8088)]
            done = subprocess.run(
                [*inside, "python3", "-c", PROBE], input=" ".join([known, *host, *open_ports]),
                capture_output=True, text=True, check=True, timeout=120,
            )  # fmt: skip
    finally:
        subprocess.run(["ip", "link", "delete", here], check=False, capture_output=True)
        run("ip", "netns", "delete", name)
    answered = set(done.stdout.split())
    assert known in answered
    assert answered.isdisjoint(host)
    assert {open_ports[target] for target in answered - {known}} <= PUBLISHED


def test_on_this_machine_grafana_answers(bundle: Bundle, running: dict[str, dict[str, Any]]) -> None:
    published = {
        (service, binding["HostIp"])
        for service, one in running.items()
        for bindings in one["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    }
    assert published == {(service, "127.0.0.1") for service, _ in PUBLISHED}
    with urllib.request.urlopen(f"http://127.0.0.1:{bundle.grafana_port}/api/health", timeout=30) as answer:
        assert json.load(answer)["database"] == "ok"
