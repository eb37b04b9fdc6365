"""What is broken is seen, told and mended, and what was known is known afterwards."""

from __future__ import annotations

import json
import secrets
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from servers.bundle import ROOT, Bundle
from servers.docker_engine import DockerEngine
from servers.process import wait_for

PAGE_SECONDS = 420.0
TURN_RED_SECONDS = 240.0
CLUSTER = "redis-node-1"
SILENCED = "Nothing"
PYTHON = "python:3.13.9-slim-bookworm"


@pytest.fixture(scope="module")
def lasting(bundle: Bundle) -> list[str]:
    """Every service that is to run for ever and whose health is asked."""
    return bundle.lasting()


@pytest.fixture(scope="module")
def sink(engine: DockerEngine, bundle: Bundle) -> Iterator[str]:
    """The demo's receiver of pages as a container where Alertmanager sends to; its id."""
    packages = next((ROOT / ".venv/lib").glob("python3*")) / "site-packages"
    words = [
        "run", "--detach", f"--network={bundle.project}_outside", "--network-alias=sink", "--read-only",
        f"--volume={packages}:/packages:ro", f"--volume={ROOT / 'compose/demo/receiver.py'}:/receiver.py:ro",
        "--env=PYTHONPATH=/packages", "--entrypoint=python3", PYTHON,
        "-u", "/receiver.py", "--host=0.0.0.0", "--http-port=8080", "--smtp-port=2525",
    ]  # fmt: skip
    name = engine.run(*words).stdout.strip()
    try:
        yield name
    finally:
        engine.run("rm", "--force", name)


def messages(engine: DockerEngine, sink: str, channel: str, text: str) -> list[dict[str, Any]]:
    ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/messages', timeout=20).read().decode())"
    done = engine.run("exec", sink, "python3", "-c", ask, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
    return [one for one in found if one["channel"] == channel and text in one["title"]]


def test_the_dead_man_s_switch_hears(engine: DockerEngine, sink: str) -> None:
    wait_for(lambda: messages(engine, sink, "dead-man", ""), PAGE_SECONDS, "the Watchdog at the receiver")


def test_a_store_that_is_away_is_paged_and_seen_by_who_stands_before_it(
    engine: DockerEngine, bundle: Bundle, lasting: list[str], sink: str
) -> None:
    bundle.compose("stop", "--timeout", "5", "demo-redis", "demo-postgres")
    try:
        bundle.wait_states({"pgbouncer": "unhealthy", "demo-app": "unhealthy"}, TURN_RED_SECONDS)
        wait_for(
            lambda: [one for one in messages(engine, sink, "pagerduty", "Redis") if one["status"] == "firing"],
            PAGE_SECONDS, "a page about Redis",
        )  # fmt: skip
    finally:
        bundle.compose("start", "demo-redis", "demo-postgres")
    bundle.wait_states(dict.fromkeys(lasting, "healthy"))


def test_a_part_that_hangs_is_unhealthy_until_it_goes_on(bundle: Bundle, lasting: list[str]) -> None:
    bundle.signal(signal.SIGSTOP, *lasting)
    try:
        bundle.wait_states(dict.fromkeys(lasting, "unhealthy"), TURN_RED_SECONDS)
    finally:
        bundle.signal(signal.SIGCONT, *lasting)
    bundle.wait_states(dict.fromkeys(lasting, "healthy"))


def test_every_rule_is_evaluated_also_while_parts_were_away(bundle: Bundle) -> None:
    """The slowest groups are evaluated every 5 minutes."""

    def done() -> bool:
        found = bundle.rules()
        return bool(found) and all(rule["health"] != "unknown" for rule in found)

    wait_for(done, 420, "every rule was evaluated")
    assert {rule["name"]: rule.get("lastError") for rule in bundle.rules() if rule["health"] != "ok"} == {}


class Kept:
    """What is written before a fault and looked for afterwards."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        made = wait_for(lambda: bundle.query("timestamp(up)"), 60, "a sample of Prometheus")
        # between two scrapes of the same series the older value counts
        self._at = min(float(one["value"][1]) for one in made) + 1
        self._series = {json.dumps(one["metric"], sort_keys=True) for one in made}
        url = "--alertmanager.url=http://127.0.0.1:9093"
        words = ["silence", "add", url, f"alertname={SILENCED}", "--comment=kept", "--author=e2e", "--duration=2h"]
        self._silence = bundle.execute("alertmanager", "amtool", *words).strip()
        self._amtool = ["amtool", "silence", "query", url, "--output=json"]
        self._cluster("SET", "kept", self._silence)
        self._trace = secrets.token_hex(16)
        self._send_trace()
        wait_for(self._has_trace, 120, "the trace in Jaeger")

    def _send_trace(self) -> None:
        """A trace with an error, which is always kept, from where Supercheck's containers are."""
        now = time.time_ns()
        span = {
            "traceId": self._trace, "spanId": secrets.token_hex(8), "name": "kept", "kind": 2,
            "startTimeUnixNano": str(now - 1_000_000), "endTimeUnixNano": str(now), "status": {"code": 2},
        }  # fmt: skip
        service = {"attributes": [{"key": "service.name", "value": {"stringValue": "e2e"}}]}
        body = json.dumps({"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": [span]}]}]})
        post = (
            "import sys, urllib.request as r; r.urlopen(r.Request('http://otel-collector:4318/v1/traces',"
            " sys.stdin.buffer.read(), {'Content-Type': 'application/json'}), timeout=30)"
        )
        network = f"--network={self._bundle.network}"
        words = ["run", "--rm", "--interactive", network, "--entrypoint=python3", PYTHON, "-c", post]
        self._bundle.engine.run(*words, text=body)

    def _has_trace(self) -> bool:
        return bool(self._bundle.get("jaeger", f"http://127.0.0.1:16686/api/v3/traces/{self._trace}"))

    def _cluster(self, *words: str) -> str:
        ask = 'REDISCLI_AUTH="$(head -n 1 "$REDIS_PASSWORD_FILE")" exec redis-cli -c "$@"'
        return self._bundle.execute(CLUSTER, "sh", "-c", ask, "redis-cli", *words, check=False).strip()

    def is_written(self) -> bool:
        """Whether the silence is on the disk, where Alertmanager puts it once a minute and when it ends."""
        words = ["grep", "-l", self._silence, "/alertmanager/silences"]
        return bool(self._bundle.execute("alertmanager", *words, check=False))

    def assert_there(self) -> None:
        """All of it is there."""

        def history() -> set[str]:
            found = self._bundle.query(f"timestamp(up @ {self._at:.3f})")
            return {json.dumps(one["metric"], sort_keys=True) for one in found}

        wait_for(lambda: self._series <= history(), 60, "Prometheus knows what it had measured")
        silences = json.loads(self._bundle.execute("alertmanager", *self._amtool))
        assert self._silence in {one["id"] for one in silences}
        wait_for(lambda: self._cluster("GET", "kept") == self._silence, 60, "the cluster's key")
        assert self._cluster("GET", "never written") == ""
        wait_for(self._has_trace, 60, "the trace in Jaeger")


def started(bundle: Bundle) -> dict[str, str]:
    return {name: one["State"]["StartedAt"] for name, one in bundle.containers().items()}


def test_a_part_that_is_killed_comes_back_with_its_data(bundle: Bundle, lasting: list[str]) -> None:
    kept = Kept(bundle)
    wait_for(kept.is_written, 120, "Alertmanager has written the silence")
    every = [*lasting, *bundle.unasked()]
    before = started(bundle)
    bundle.signal(signal.SIGKILL, *every)
    wait_for(lambda: all(started(bundle)[name] != before[name] for name in every), 120, "Docker starts each part again")
    bundle.wait_states(dict.fromkeys(lasting, "healthy") | dict.fromkeys(bundle.unasked(), "running"))
    kept.assert_there()
    assert all(one["RestartCount"] >= 1 for name, one in bundle.containers().items() if name in every)


def test_everything_is_restarted_and_nothing_is_lost(
    engine: DockerEngine, bundle: Bundle, lasting: list[str], sink: str
) -> None:
    """down and up: new containers, new networks, new addresses, the same volumes."""
    kept = Kept(bundle)
    word = bundle.execute("grafana", "cat", "/run/secrets/secret_key")
    before = {name: one["Id"] for name, one in bundle.containers().items()}
    engine.run("network", "disconnect", f"{bundle.project}_outside", sink)
    bundle.compose("down", "--timeout", "30")
    assert bundle.containers() == {}
    bundle.up()
    bundle.wait_states(dict.fromkeys(lasting, "healthy"))
    assert not set(before.values()) & {one["Id"] for one in bundle.containers().values()}
    kept.assert_there()
    assert bundle.execute("grafana", "cat", "/run/secrets/secret_key") == word, "made once"
    began = time.time()
    wait_for(
        lambda: bundle.query("supercheck_workers > 1 and on () up{job='supercheck-exporter'} == 1"), 120, "it measures"
    )
    assert bundle.query(f"timestamp(up{{job='supercheck-exporter'}}) > {began - 300:.0f}")
    engine.run("network", "connect", "--alias=sink", f"{bundle.project}_outside", sink)
